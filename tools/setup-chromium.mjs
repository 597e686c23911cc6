// Runs before `npm run test:full`: finds a Chromium for the suites that try the console in a real browser (CHROMIUM_BIN, then PATH), and as root
// installs Debian's where there is none. Where it cannot be had it says so and ends well: those suites report themselves as skipped.
// PLEXUS_WITHOUT_CHROMIUM=1 leaves it out.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const record = path.join(root, 'cache/chromium.json');
const INSTALL_MS = 240_000;
const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** Makes it available. Says why where that is not possible; never ends the process. */
export function setupChromium() {
  if (process.env.PLEXUS_WITHOUT_CHROMIUM === '1') return skip('PLEXUS_WITHOUT_CHROMIUM is set');
  let program = found();
  if (program === undefined) {
    const problem = install();
    program = found();
    if (program === undefined) return skip(problem ?? 'it was installed, but is not on PATH');
  }
  mkdirSync(path.dirname(record), { recursive: true });
  writeFileSync(record, `${JSON.stringify({ program })}\n`);
}

function found() {
  const given = process.env.CHROMIUM_BIN;
  const candidates = given ? [given] : (process.env.PATH ?? '').split(path.delimiter).flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false; // not here
    }
  });
}

function install() {
  if (process.getuid?.() !== 0) return 'none is on PATH, and only root can install one';
  process.stderr.write('Installing Chromium for the suites that need a browser …\n');
  const apt = (...args) =>
    spawnSync('apt-get', args, {
      encoding: 'utf8',
      timeout: INSTALL_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const options = ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-noto-cjk'];
  let done = apt(...options);
  if (done.status !== 0) {
    apt('update');
    done = apt(...options);
  }
  return done.status === 0 ? undefined : `apt-get could not install it: ${`${done.stderr ?? ''}${done.error ?? ''}`.trim().split('\n').at(-1)}`;
}

function skip(reason) {
  rmSync(record, { force: true });
  process.stderr.write(`No Chromium (${reason}): the suites that need a browser are skipped.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setupChromium();
