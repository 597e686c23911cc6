// `npm run demo`: plays a chat, a foreign event and a memory against the mesh that runs on the state folder (PLEXUS_STATE_DIR, --state), or starts
// one for the time of the demo. Arguments are passed on to `plexus demo`. Exit code 0 only if everything happened.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { setup } from './setup.mjs';

setup();
const { environment, onNode24, root } = await import('./projects.mjs');
await onNode24(import.meta.url);
const { build } = await import('./build.mjs');
const problem = await build();
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
const { readMeshRecord, startMesh, TerminalProgress } = await import('../libs/local-stack/dist/src/index.js');

const { values } = parseArgs({ args: process.argv.slice(2), options: { state: { type: 'string' } }, strict: false });
const stateDir = path.resolve(values.state ?? (process.env.PLEXUS_STATE_DIR || path.join(root, '.plexus')));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop.abort());

process.exitCode = 1;
let mesh;
try {
  if (readMeshRecord(stateDir) === undefined) {
    process.stderr.write('No mesh is running here: starting one for the demo.\n');
    const progress = new TerminalProgress(process.stderr);
    mesh = await startMesh({ stateDir, env: { ...process.env, PLEXUS_GATEWAY_PORT: process.env.PLEXUS_GATEWAY_PORT ?? '0' }, progress, signal: stop.signal });
  }
  process.exitCode = await play();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
} finally {
  await mesh?.stop();
}
process.exit();

function play() {
  const args = [path.join(root, 'libs/cli/bin/plexus.mjs'), '--state', stateDir, ...process.argv.slice(2), 'demo'];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: environment() });
  stop.signal.addEventListener('abort', () => child.kill('SIGTERM'));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}
