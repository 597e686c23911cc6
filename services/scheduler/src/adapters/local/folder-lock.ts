import { mkdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 50;

/**
 * Excludes every other process of this machine while `work` goes on for this folder: the lock is an abstract socket named after the folder's
 * device and inode, which the kernel lets go of when its holder dies, however it dies. Undefined: it was held for all of `waitMs`.
 */
export async function withFolderLock<T>(folder: string, waitMs: number, work: () => Promise<T>): Promise<T | undefined> {
  const until = performance.now() + waitMs;
  for (;;) {
    const name = nameFor(folder);
    const lock = await tryListen(name);
    if (lock !== undefined) {
      try {
        // Its last holder may have removed the folder: then this is the lock of nothing.
        if (name === nameFor(folder)) return await work();
      } finally {
        await new Promise<void>((resolve) => lock.close(() => resolve()));
      }
    }
    if (performance.now() >= until) return undefined;
    await sleep(RETRY_MS);
  }
}

function nameFor(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { dev, ino } = statSync(folder);
  return `\0plexus-vm-folder:${dev}:${ino}`;
}

function tryListen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}
