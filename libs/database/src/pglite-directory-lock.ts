import { readFileSync } from 'node:fs';
import path from 'node:path';
import { identify, tryLock } from '@plexus/kernel/file-lock';

/**
 * Claims a data directory for this process and returns what gives it back. PGlite does not notice a second process on the same files,
 * and the two would destroy them. A claim whose process is gone (killed) is taken over. Throws when a living process holds it.
 */
export function lockDirectory(directory: string): () => void {
  // Beside the data, not in it: a data directory is initialised only while it is empty.
  const file = `${path.resolve(directory)}.lock`;
  refuseFormerClaim(directory, file);
  const attempt = tryLock(file);
  if ('holder' in attempt) throw inUse(directory, file, attempt.holder.process.pid);
  return () => attempt.held.release();
}

/** Versions before this one wrote `<pid> <start time>` and may be running. */
function refuseFormerClaim(directory: string, file: string): void {
  const [, pid, ticks] = /^(\d+)(?: (\d+))?$/.exec(readIfThere(file)?.trim() ?? '') ?? [];
  if (pid === undefined) return;
  const startedAt = identify(Number(pid))?.startedAt;
  if (startedAt !== undefined && (ticks === undefined || startedAt.endsWith(`/${ticks}`))) throw inUse(directory, file, Number(pid));
}

function inUse(directory: string, file: string, pid: number): Error {
  return new Error(`the PGlite directory ${directory} is in use by process ${pid}; stop that first (claim: ${file})`);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
