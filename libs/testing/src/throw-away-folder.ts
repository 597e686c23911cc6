import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface ThrowAwayFolder {
  readonly path: string;
  /** Removes it now. */
  remove(): void;
}

/** Waits for the end of the process at the other end of its stdin; servers of that process may still be stopping, hence the repetition. */
const SWEEPER = 'read -r _; for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" 2>/dev/null; [ -e "$1" ] || exit 0; sleep 1; done';

/** A folder under the system's temporary folder that is gone when this process has ended, however it ended. New, unless `name` says which. */
export function throwAwayFolder(purpose: string, name?: string): ThrowAwayFolder {
  const folder = name === undefined ? mkdtempSync(path.join(tmpdir(), `plexus-test-${purpose}-`)) : path.join(tmpdir(), name);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711); // Postgres may run as another user inside
  const sweeper = spawn('/bin/sh', ['-c', SWEEPER, 'sweeper', folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  sweeper.unref();
  sweeper.on('error', () => {}); // without a shell the folder stays, which the system's own cleaning deals with
  (sweeper.stdin as unknown as { unref(): void }).unref();
  return {
    path: folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
      sweeper.stdin.end();
    },
  };
}
