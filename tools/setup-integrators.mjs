// Runs before `npm run test:full`: what the examples in other languages need, into `cache/`: NATS' client for Python by pip (version and hash
// pinned) and the Go example, built by Go (modules pinned by its go.sum). Where one cannot be had it says so and ends well: that example is skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const cache = path.join(root, 'cache');
const LIMIT_MS = 180_000;
const NATS_PY = 'nats-py==2.16.0 --hash=sha256:aeb1ff123966c05833d26c7df7e1d54c1c6d32b612428b21677a2e921f1fecae';

/** Makes both available. Says why where that is not possible; never ends the process. */
export function setupIntegrators() {
  mkdirSync(cache, { recursive: true });
  setUp('nats-py, for the Python example', path.join(cache, 'nats-py'), installPython);
  setUp('the Go example', path.join(cache, 'go-example'), buildGo);
}

function setUp(what, place, make) {
  if (existsSync(place)) return;
  process.stderr.write(`Setting up ${what} …\n`);
  const draft = mkdtempSync(path.join(tmpdir(), 'plexus-integrators-'));
  const half = `${place}.${process.pid}`;
  try {
    const problem = make(draft, half);
    if (problem !== undefined) process.stderr.write(`Without ${what}: ${problem}\n`);
    else if (!existsSync(place)) renameSync(half, place);
  } finally {
    for (const rest of [draft, half]) rmSync(rest, { recursive: true, force: true });
  }
}

/** A wheel of nothing but Python: it is unpacked, not installed. */
function installPython(draft, half) {
  const requirements = path.join(draft, 'requirements.txt');
  writeFileSync(requirements, `${NATS_PY}\n`);
  const options = ['download', '--no-deps', '--only-binary=:all:', '--require-hashes', '--disable-pip-version-check', '--quiet'];
  const fetched = run('python3', ['-m', 'pip', ...options, '-d', draft, '-r', requirements]);
  if (fetched !== undefined) return fetched;
  const wheel = readdirSync(draft).find((file) => file.endsWith('.whl'));
  return run('python3', ['-m', 'zipfile', '-e', path.join(draft, wheel), half]);
}

function buildGo(_draft, half) {
  return run('go', ['build', '-o', half, '.'], {
    cwd: path.join(root, 'examples/01-publish/go'),
    env: { ...process.env, GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local' },
  });
}

/** Undefined when it went well, else the last line of what it said. */
function run(command, args, options = {}) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: LIMIT_MS, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  if (status === 0) return undefined;
  return `${command}: ${`${stderr ?? ''}${error?.message ?? ''}`.trim().split('\n').at(-1) || `ended with ${status}`}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setupIntegrators();
