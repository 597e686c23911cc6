import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { Pool } from 'pg';

const require = createRequire(import.meta.url);

/** Node has it, the type library for servers does not name it. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: { __wbindgen_start(): void } } }> };
};

/**
 * The DDL that Prisma would write for a schema file, from its WebAssembly schema engine. It needs a database to connect to and
 * reads nothing from it.
 */
export async function ddlOf(schemaFile: string, pool: Pool): Promise<string> {
  const engine = await startEngine(schemaFile, pool);
  try {
    const to = { tag: 'schemaDatamodel' as const, files: [{ path: schemaFile, content: readFileSync(schemaFile, 'utf8') }] };
    const filters = { externalTables: [], externalEnums: [] };
    const { stdout } = await engine.diff({ from: { tag: 'empty' }, to, script: true, exitCode: null, filters });
    if (!stdout) throw new Error(`the schema engine wrote no DDL for ${schemaFile}`);
    return stdout;
  } finally {
    engine.free();
  }
}

async function startEngine(schemaFile: string, pool: Pool): Promise<SchemaEngine> {
  // The package's own loader expects a bundler; its two halves are joined by hand.
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const file = path.join(path.dirname(require.resolve('@prisma/schema-engine-wasm')), 'schema_engine_bg.wasm');
  const { instance } = await WebAssembly.instantiate(readFileSync(file), { './schema_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return glue.SchemaEngine.new(
    { datamodels: [[schemaFile, readFileSync(schemaFile, 'utf8')]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(new PrismaPg(pool)),
  );
}
