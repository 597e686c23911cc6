import { createHash } from 'node:crypto';
import path from 'node:path';

/** Where one session keeps its files. */
export interface SessionFolder {
  readonly root: string;
  /** What tools see and change. */
  readonly workspace: string;
  readonly memory: string;
  readonly checkpoints: string;
}

/** The folder of a session. Two ids never share one, on no file system: its name ends in a hash of the id. */
export function sessionFolder(workdir: string, sessionId: string): SessionFolder {
  const hash = createHash('sha256').update(sessionId).digest('hex').slice(0, 16);
  const readable = sessionId
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  const root = path.join(workdir, 'sessions', readable === '' ? hash : `${readable}-${hash}`);
  return { root, workspace: path.join(root, 'workspace'), memory: path.join(root, 'memory'), checkpoints: path.join(root, 'checkpoints') };
}
