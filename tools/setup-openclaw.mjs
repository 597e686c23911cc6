// Runs before `npm run test:full` and `npm run bench`: installs the published `openclaw` package (600 MB; version and hashes pinned by the lockfile
// beside) into `cache/`, for the suites that try Plexus with real clients and runtimes. Where it cannot be had it says so and ends well:
// those suites report themselves as skipped. PLEXUS_WITHOUT_OPENCLAW=1 leaves it out.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const source = path.join(root, 'tools/openclaw');
const record = path.join(root, 'cache/openclaw.json');
const INSTALL_MS = 240_000;

/** Makes it available. Says why where that is not possible; never ends the process. */
export function setupOpenclaw() {
  if (process.env.PLEXUS_WITHOUT_OPENCLAW === '1') return skip('PLEXUS_WITHOUT_OPENCLAW is set');
  const { openclaw: version } = JSON.parse(readFileSync(path.join(source, 'package.json'), 'utf8')).dependencies;
  const folder = path.join(root, `cache/openclaw-${version}`);
  const program = path.join(folder, 'node_modules/.bin/openclaw');
  if (!existsSync(program)) {
    const problem = installInto(folder, version);
    if (problem !== undefined) return skip(problem);
  }
  writeFileSync(record, `${JSON.stringify({ version, program })}\n`);
}

/** Complete or not at all: a half installation never gets the folder's name. */
function installInto(folder, version) {
  process.stderr.write(`Installing openclaw ${version} for the suites that need it …\n`);
  const half = `${folder}.${process.pid}`;
  mkdirSync(half, { recursive: true });
  try {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(path.join(source, file), path.join(half, file));
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const done = spawnSync('npm', args, {
      cwd: half,
      encoding: 'utf8',
      timeout: INSTALL_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    if (done.status !== 0) return `npm could not install it: ${`${done.stderr ?? ''}${done.error ?? ''}`.trim().split('\n').at(-1)}`;
    renameSync(half, folder);
    return undefined;
  } catch (error) {
    if (existsSync(folder)) return undefined; // somebody else was faster
    throw error;
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

function skip(reason) {
  rmSync(record, { force: true });
  process.stderr.write(`No openclaw package (${reason}): the suites that need it are skipped.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setupOpenclaw();
