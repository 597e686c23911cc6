/** `npm run generate` in deploy/: writes the generated files of the chart. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chartFiles, leftOver } from './chart-files.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const files = await chartFiles(root);
for (const file of leftOver(root, files)) rmSync(path.join(root, file));
for (const [file, content] of files) {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), content);
}
process.stderr.write(`${files.size} files of the chart are written.\n`);
