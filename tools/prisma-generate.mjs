// Generates the Prisma client of the project in the current folder into gen/, unless it is newer than the schema.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const tools = path.dirname(fileURLToPath(import.meta.url));
const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (!process.argv.includes('--force') && changed('gen/client.ts') > changed('prisma/schema.prisma')) process.exit(0);
const result = spawnSync(process.execPath, [path.join(tools, '../node_modules/prisma/build/index.js'), 'generate'], {
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: path.join(tools, 'schema-engine-stub.sh'), PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' },
});
process.exit(result.status ?? 1);
