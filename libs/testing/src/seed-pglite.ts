import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from './repository-root.js';

const run = promisify(execFile);

/**
 * Puts an initialised, empty PGlite data directory where a service is going to open one, so that its first start takes half a second instead of
 * five. It is made once per checkout and version of PGlite, by the built library, and copied from then on.
 */
export async function seedPglite(directory: string): Promise<void> {
  const root = repositoryRoot();
  const { dependencies } = JSON.parse(readFileSync(path.join(root, 'libs/database/package.json'), 'utf8')) as { dependencies: Record<string, string> };
  const cache = path.join(root, 'node_modules/.cache/plexus-test');
  const seed = path.join(cache, `pglite-${dependencies['@electric-sql/pglite']}`);
  if (!existsSync(seed)) await makeSeed(cache, seed, path.join(root, 'libs/database/dist/src/pglite.js'));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  cpSync(seed, directory, { recursive: true });
}

async function makeSeed(cache: string, seed: string, library: string): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(path.join(cache, 'draft-'));
  const data = path.join(draft, 'data');
  const script = `const { openPglite } = await import(${JSON.stringify(library)}); const made = await openPglite(${JSON.stringify(data)}, { schema: 'public' }); await made.close();`;
  try {
    await run(process.execPath, ['--input-type=module', '--eval', script], { timeout: 120_000 });
    renameSync(data, seed);
  } catch (error) {
    // Another test process may have been faster: a folder that is not empty is not replaced.
    if (!existsSync(seed)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
