import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isRoot, isTraversable } from './postgres-binary.js';
import type { StatePaths } from './state-paths.js';

const OUTSIDE = '/var/lib/plexus';

/**
 * Where the database of this state lives: inside the state folder, unless we are root and the unprivileged account that Postgres then
 * runs as cannot reach it (a checkout under `/root`). Then it is a folder of its own under `/var/lib/plexus`, which `<state>/postgres` links to.
 */
export function postgresFolder(paths: StatePaths): string {
  if (!isRoot() || isTraversable(paths.root)) return paths.postgres;
  const linked = linkTarget(paths.postgres);
  if (linked !== undefined) return linked;
  mkdirSync(OUTSIDE, { recursive: true });
  chmodSync(OUTSIDE, 0o711);
  sweepAbandoned();
  const folder = path.join(OUTSIDE, `postgres-${randomBytes(6).toString('hex')}`);
  mkdirSync(folder, { mode: 0o700 });
  symlinkSync(folder, paths.postgres);
  // Last: from here on a sweep by somebody else looks for the link.
  writeFileSync(path.join(OUTSIDE, `${path.basename(folder)}.owner`), paths.postgres);
  return folder;
}

function linkTarget(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined; // absent, or a plain folder from a start in another place
  }
}

/** Removes databases whose state folder is gone or uses another one by now. */
function sweepAbandoned(): void {
  for (const name of readdirSync(OUTSIDE)) {
    if (!name.endsWith('.owner')) continue;
    const folder = path.join(OUTSIDE, name.slice(0, -'.owner'.length));
    if (linkTarget(readFileSync(path.join(OUTSIDE, name), 'utf8')) === folder) continue;
    rmSync(folder, { recursive: true, force: true });
    rmSync(path.join(OUTSIDE, name), { force: true });
  }
}
