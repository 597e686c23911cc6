/**
 * Writes everything that is generated from the contracts, or with `--check` compares and exits 1 on a difference.
 *
 *     node libs/contracts/dist/src/generate/main.js [--check]
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { artefacts, FIELD_NUMBERS_FILE } from './artefacts.js';
import type { FieldNumbers } from './proto.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../../..');
const check = process.argv.includes('--check');

const read = (file: string): string | undefined => (existsSync(path.join(root, file)) ? readFileSync(path.join(root, file), 'utf8') : undefined);

/** Files in wholly generated folders that nothing generates any more. */
function stale(expected: ReadonlySet<string>): string[] {
  return ['proto/jsonschema', 'proto/plexus', 'proto/nats'].flatMap((folder) => {
    if (!existsSync(path.join(root, folder))) return [];
    return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
      .filter((file) => !expected.has(file));
  });
}

const locked = JSON.parse(read(FIELD_NUMBERS_FILE) ?? '{}') as FieldNumbers;
const files = artefacts(locked);
const different = files.filter((file) => {
  const current = read(file.path);
  return current === undefined || (!file.keepExisting && current !== file.content);
});
const gone = stale(new Set(files.map((file) => file.path)));

if (check) {
  for (const file of different) process.stderr.write(`differs: ${file.path}\n`);
  for (const file of gone) process.stderr.write(`no longer generated: ${file}\n`);
  if (different.length + gone.length > 0) {
    process.stderr.write('The contracts changed: run `npm run generate` and commit the result.\n');
    process.exit(1);
  }
  process.stdout.write(`${files.length} generated files are up to date\n`);
} else {
  for (const file of different) {
    const target = path.join(root, file.path);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, file.content);
  }
  for (const file of gone) rmSync(path.join(root, file));
  process.stdout.write(`${different.length} files written, ${gone.length} removed, ${files.length - different.length} unchanged\n`);
}
