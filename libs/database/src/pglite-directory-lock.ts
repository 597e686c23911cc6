import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Claims of this very process: after a restart in a container the same pid may stand in the file of its predecessor. */
const claimed = new Set<string>();

/**
 * Claims a data directory for this process and returns what gives it back. PGlite does not notice a second process on the same files,
 * and the two would destroy them. A claim whose process is gone (killed) is taken over. Throws when a living process holds it.
 */
export function lockDirectory(directory: string): () => void {
  // Beside the data, not in it: a data directory is initialised only while it is empty.
  const file = `${path.resolve(directory)}.lock`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(file, processIdentity(process.pid), { flag: 'wx', mode: 0o600 });
      claimed.add(file);
      return () => {
        claimed.delete(file);
        rmSync(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = readIfThere(file);
      if (attempt > 0 || (holder !== undefined && isHeld(file, holder))) {
        throw new Error(`the PGlite directory ${directory} is in use by process ${holder?.split(' ')[0] ?? 'unknown'}; stop that first (claim: ${file})`);
      }
      rmSync(file, { force: true });
    }
  }
}

function isHeld(file: string, holder: string): boolean {
  const pid = Number(holder.split(' ')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) return claimed.has(file);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return processIdentity(pid) === holder;
}

/** Pid and, where the system tells it (Linux), start time: a reused pid must not look like the process that claimed. */
function processIdentity(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const startTime = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return startTime === undefined ? String(pid) : `${pid} ${startTime}`;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
