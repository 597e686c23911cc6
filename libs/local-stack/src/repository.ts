import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

let found: string | undefined;

/** Absolute path of the repository this library belongs to: the nearest folder above with an `nx.json`. Works from `src` and from `dist`. */
export function repositoryRoot(): string {
  if (found !== undefined) return found;
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'nx.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error(`no nx.json above ${fileURLToPath(import.meta.url)}: this library runs from a checkout only`);
    folder = parent;
  }
  found = folder;
  return folder;
}
