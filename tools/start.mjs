// `npm start`: sets up, builds what changed, then hands over to libs/local-stack, which starts, watches and stops the mesh.
import { setup } from './setup.mjs';

setup();
const { onNode24 } = await import('./projects.mjs');
await onNode24(import.meta.url);
const { build } = await import('./build.mjs');

// From the first moment: a signal during the build ends it like one later.
const waiting = [];
const arrived = [];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => (waiting.length > 0 ? waiting.shift()(signal) : arrived.push(signal)));
}
const nextSignal = () => new Promise((resolve) => (arrived.length > 0 ? resolve(arrived.shift()) : waiting.push(resolve)));
// Whoever read our output may be gone; that is no reason to leave the mesh behind.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const reminder = setTimeout(() => process.stderr.write('Building …\n'), 1_500);
const problem = await build();
clearTimeout(reminder);
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
if (arrived.length > 0) process.exit(0);
const { startCommand } = await import('../libs/local-stack/dist/src/index.js');
process.exit(await startCommand(process.argv.slice(2), process.env, { stdout: process.stdout, stderr: process.stderr, nextSignal }));
