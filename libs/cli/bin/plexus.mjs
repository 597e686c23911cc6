#!/usr/bin/env node
// The `plexus` command. Works from a checkout: says what to run when it has not been built yet.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/src/main.js', import.meta.url);
if (!existsSync(fileURLToPath(main))) {
  process.stderr.write('plexus is not built yet: run `npm run build` (or `npm start`, which builds first).\n');
  process.exit(1);
}
await import(main.href);
