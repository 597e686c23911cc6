import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { referencePage } from './reference-page.js';

// From dist/src to the root of the repository; another file may be named as the only argument.
const target = process.argv[2] ?? fileURLToPath(new URL('../../../../docs/reference/configuration.md', import.meta.url));
writeFileSync(target, referencePage());
process.stdout.write(`${target}\n`);
