// Runs on the machine's own Node (≥ 20) before `npm start`, `npm test` and the like: installs dependencies, Node 24 among them, when
// node_modules is missing or belongs to another lockfile. Says nothing when there is nothing to do.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const lockfile = path.join(root, 'package-lock.json');
const installed = path.join(root, 'node_modules/.package-lock.json');
const stamp = path.join(root, 'node_modules/.plexus-setup');

/** Installs what is missing. Ends the process with npm's exit code when that fails. */
export function setup() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    process.stderr.write(`Plexus needs Node 20.19 or newer to set itself up; this is ${process.version}.\n`);
    process.exit(1);
  }
  const wanted = createHash('sha256').update(readFileSync(lockfile)).digest('hex');
  const have = existsSync(stamp) ? readFileSync(stamp, 'utf8') : undefined;
  if (have === wanted) return;
  // Somebody ran npm themselves, after the lockfile was written: believe them.
  const byHand = have === undefined && existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs;
  if (!byHand) install();
  writeFileSync(stamp, wanted);
}

function install() {
  const begunAt = performance.now();
  process.stderr.write(`${existsSync(stamp) ? 'The lockfile has changed: installing' : 'First start: installing'} dependencies with npm ci …\n`);
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // npm's own words go to stderr: stdout belongs to the command that comes after us.
  const result = spawnSync(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    process.stderr.write(`npm ci failed (${result.error?.message ?? `exit code ${result.status}`}). Its messages are above.\n`);
    process.exit(result.status ?? 1);
  }
  process.stderr.write(`Installed in ${Math.round((performance.now() - begunAt) / 1_000)} s.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup();
