import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

/** Content of a file without its final line break; undefined when there is none. Other problems are thrown. */
export function readPrivate(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trimEnd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a file that only its owner may read (0600), atomically and durably: after a crash there is the old content or the new one. */
export function writePrivate(file: string, content: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.draft`;
  rmSync(draft, { force: true });
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, content.endsWith('\n') ? content : `${content}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
}

/** The file's content, made by `create` when there is none. */
export function readOrCreatePrivate(file: string, create: () => string): string {
  const existing = readPrivate(file);
  if (existing !== undefined && existing !== '') return existing;
  const content = create();
  writePrivate(file, content);
  return content;
}
