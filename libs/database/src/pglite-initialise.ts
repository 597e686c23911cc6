import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Initialising takes two to five seconds on a small machine; what takes this long hangs. */
const LIMIT_MS = 120_000;
const DRAFT = '.draft-';

/**
 * Makes a data directory where there is none or an empty one. It happens in a process of its own, because the WebAssembly that initialises keeps some 140 MiB for as
 * long as its process lives, and beside the directory, so that a process killed in the middle leaves no half-made one behind.
 * The caller holds the claim on the directory.
 */
export async function initialiseDirectory(directory: string): Promise<void> {
  const target = path.resolve(directory);
  const isDraft = (name: string): boolean => name.startsWith(`${path.basename(target)}${DRAFT}`);
  for (const name of readdirSync(path.dirname(target)).filter(isDraft)) rmSync(path.join(path.dirname(target), name), { recursive: true, force: true });
  if (existsSync(target) && readdirSync(target).length > 0) return;
  const draft = mkdtempSync(`${target}${DRAFT}`);
  const library = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const script = `require(${JSON.stringify(library)}).PGlite.create(process.argv[1]).then((made) => made.close());`;
  try {
    await run(process.execPath, ['--eval', script, draft], { timeout: LIMIT_MS });
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw new Error(`the PGlite directory ${directory} could not be initialised`, { cause: error });
  }
}
