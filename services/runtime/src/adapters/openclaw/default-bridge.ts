import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = path.join('bridge', 'openclaw-bridge.mjs');

/** Program and arguments of the bridge that comes with the runtime: beside `src` and `dist`, whichever of them this is run from. */
export function defaultBridgeCommand(): readonly string[] {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, PROGRAM)) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  return [process.execPath, path.join(folder, PROGRAM)];
}
