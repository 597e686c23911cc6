import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { PostgresBinaries } from '@plexus/local-stack';
import { repositoryRoot } from './repository-root.js';

/**
 * The Postgres with pgvector that `tools/setup-pgvector.mjs` fetched before `npm run test:full`; undefined where it could not. Suites that
 * need it are skipped then.
 */
export function pgvectorBinaries(): PostgresBinaries | undefined {
  const record = path.join(repositoryRoot(), 'cache/pgvector.json');
  if (!existsSync(record)) return undefined;
  const { name, bin } = JSON.parse(readFileSync(record, 'utf8')) as { name: string; bin: string };
  const postgres = path.join(bin, 'postgres');
  return existsSync(postgres) ? { postgres, initdb: path.join(bin, 'initdb'), origin: name } : undefined;
}
