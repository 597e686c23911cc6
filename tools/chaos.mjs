// `npm run chaos`, `npm run load`, `npm run simulate`: sets up, builds what changed, then hands over to libs/chaos. The first argument says which.
import { setup } from './setup.mjs';

const commands = { chaos: 'chaosCommand', load: 'loadCommand', simulate: 'simulateCommand' };
const [which, ...rest] = process.argv.slice(2);
if (commands[which] === undefined) {
  process.stderr.write(`usage: chaos.mjs ${Object.keys(commands).join('|')} [options]\n`);
  process.exit(2);
}
setup();
const { onNode24 } = await import('./projects.mjs');
await onNode24(import.meta.url);
if (which !== 'simulate') {
  // Two replicas of memory need a Postgres with pgvector; where it cannot be had the report says that there was one.
  const { setupPgvector } = await import('./setup-pgvector.mjs');
  setupPgvector();
}
const { build } = await import('./build.mjs');
const problem = await build();
if (problem !== undefined) {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}
const chaos = await import('../libs/chaos/dist/src/index.js');
try {
  process.exitCode = await chaos[commands[which]](rest, (line) => process.stdout.write(`${line}\n`));
} catch (error) {
  // Commander has said what is wrong with the arguments, or printed its help.
  if (typeof error.exitCode === 'number') process.exitCode = error.exitCode;
  else {
    process.stderr.write(`${error.stack ?? error}\n`);
    process.exitCode = 2;
  }
}
