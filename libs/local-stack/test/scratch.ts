import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const made: string[] = [];

/** A new folder that is removed after the test file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'plexus-local-stack-'));
  chmodSync(folder, 0o711); // Postgres may run as another user inside
  made.push(folder);
  return folder;
}

/** Writes an executable file and returns its path. */
export function executable(folder: string, name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text, { mode: 0o755 });
  return file;
}

afterAll(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});
