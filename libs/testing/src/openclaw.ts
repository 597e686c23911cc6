import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from './repository-root.js';

/**
 * Program of the published `openclaw` package: `OPENCLAW_BIN`, else the one that `tools/setup-openclaw.mjs` installed before
 * `npm run test:full`; undefined where neither is there. Suites that need it are skipped then.
 */
export function openclawProgram(): string | undefined {
  if (process.env.OPENCLAW_BIN !== undefined) return process.env.OPENCLAW_BIN;
  const record = path.join(repositoryRoot(), 'cache/openclaw.json');
  if (!existsSync(record)) return undefined;
  const { program } = JSON.parse(readFileSync(record, 'utf8')) as { program: string };
  return existsSync(program) ? program : undefined;
}
