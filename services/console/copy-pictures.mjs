// Takes the pictures that the browser suite has made (report/console) into the docs. A picture above the limit is an error: the docs stay light.
import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const from = path.join(import.meta.dirname, '../../report/console');
const to = path.join(import.meta.dirname, '../../docs/images/console');
const MAX_BYTES = 150 * 1024;

mkdirSync(to, { recursive: true });
for (const name of readdirSync(from).filter((file) => file.endsWith('.png'))) {
  const { size } = statSync(path.join(from, name));
  if (size > MAX_BYTES) {
    process.stderr.write(`${name} has ${size} bytes; at most ${MAX_BYTES} are allowed.\n`);
    process.exitCode = 1;
  } else {
    copyFileSync(path.join(from, name), path.join(to, name));
  }
}
