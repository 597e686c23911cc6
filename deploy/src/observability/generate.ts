import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { observabilityFiles } from './files.js';

// Writes deploy/observability and its copies in the chart: `npm run generate -w @plexus/deploy`.
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..');
for (const [file, text] of Object.entries(observabilityFiles())) {
  mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  writeFileSync(path.join(root, file), text);
}
