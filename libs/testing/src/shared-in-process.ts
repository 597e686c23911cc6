import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { identify } from '@plexus/local-stack';
import { throwAwayFolder } from './throw-away-folder.js';

/**
 * What one test process needs once, however many test files it runs. Jest gives every file its own modules and globals, so the
 * value (plain data: an address) is handed from file to file through a temporary file that names this very process.
 * Whatever `create` started must end with the process by itself.
 */
export async function sharedInProcess<T>(purpose: string, create: () => Promise<T>): Promise<T> {
  const self = identify(process.pid);
  if (self === undefined) throw new Error('this process cannot read its own start time');
  const name = `plexus-test-shared-${self.pid}-${self.startedAt.replaceAll(/[^a-z0-9]/gi, '_')}`;
  const file = path.join(tmpdir(), name, `${purpose}.json`);
  const running = creating.get(file);
  if (running !== undefined) return running as Promise<T>;
  try {
    const { value } = JSON.parse(readFileSync(file, 'utf8')) as { value: T };
    return value;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const started = create().then((value) => {
    throwAwayFolder('shared', name);
    writeFileSync(`${file}.draft`, JSON.stringify({ value }), { mode: 0o600 });
    renameSync(`${file}.draft`, file);
    return value;
  });
  creating.set(file, started);
  started.catch(() => creating.delete(file));
  return started;
}

/** Two callers in the same test file share the one that is being created. */
const creating = new Map<string, Promise<unknown>>();
