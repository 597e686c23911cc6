import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';

/** What is known of a file. */
export interface FileFacts {
  readonly isFile: boolean;
  readonly size: number;
  /** Which file it is, whatever it is called. */
  readonly identity: string;
}

/** Access to files, so that checks can run on anything that has some. Both throw as `node:fs` does. */
export interface FileAccess {
  /** Absolute path with every link resolved. */
  realPath(path: string): string;
  /** Opens once and answers from what was opened: nobody can exchange the file in between. `bytes` are at most `maxBytes + 1`. */
  read(path: string, maxBytes: number): { readonly facts: FileFacts; readonly bytes: Uint8Array };
}

/** The files of this machine. A pipe or device is not waited for. */
export const nodeFiles: FileAccess = {
  realPath: (path) => realpathSync.native(path),
  read(path, maxBytes) {
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stat = fstatSync(file);
      const facts = { isFile: stat.isFile(), size: stat.size, identity: `${stat.dev}:${stat.ino}` };
      return { facts, bytes: facts.isFile ? readUpTo(file, maxBytes + 1) : new Uint8Array() };
    } finally {
      closeSync(file);
    }
  },
};

function readUpTo(file: number, limit: number): Uint8Array {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < limit) {
    const chunk = Buffer.alloc(Math.min(65_536, limit - total));
    const count = readSync(file, chunk, 0, chunk.length, null);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    total += count;
  }
  return Buffer.concat(chunks);
}

/** The code of a file system error, `ENOENT`; `unreadable` for anything else. */
export function fileErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unreadable';
}
