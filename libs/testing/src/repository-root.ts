import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** From sources as from what was built of them. */
export function repositoryRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'nx.json')) && folder !== path.dirname(folder)) folder = path.dirname(folder);
  return folder;
}
