// `prisma migrate deploy` by Prisma's own engine in its WebAssembly build: DATABASE_URL=… node prisma-deploy.mjs <schema> <migrations directory>
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as glue from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

const [schema, baseDir] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const wasm = path.join(path.dirname(require.resolve('@prisma/schema-engine-wasm')), 'schema_engine_bg.wasm');
const { instance } = await WebAssembly.instantiate(readFileSync(wasm), { './schema_engine_bg.js': glue });
glue.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1, options: `-c search_path=${schema}` });
const datamodels = [['schema.prisma', 'datasource db {\n  provider = "postgresql"\n}\n']];
const engine = await glue.SchemaEngine.new({ datamodels }, () => undefined, bindMigrationAwareSqlAdapterFactory(new PrismaPg(pool, { schema })));
const migrationDirectories = readdirSync(baseDir, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort()
  .map((name) => ({
    path: name,
    migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: readFileSync(path.join(baseDir, name, 'migration.sql'), 'utf8') } },
  }));
const lockfile = { path: 'migration_lock.toml', content: readFileSync(path.join(baseDir, 'migration_lock.toml'), 'utf8') };
const result = await engine.applyMigrations({
  filters: { externalTables: [], externalEnums: [] },
  migrationsList: { baseDir, lockfile, shadowDbInitScript: '', migrationDirectories },
});
engine.free();
// The engine keeps its connection; waiting for the pool to end would take until the idle time-out.
process.stdout.write(JSON.stringify(result.appliedMigrationNames), () => process.exit(0));
