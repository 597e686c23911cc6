import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { logTail } from '../log-tail.js';
import type { ProcessIdentity } from './process-table.js';

/** What is known on disk about the newest incarnation of a VM; written before its process exists, so that no crash hides it. */
export interface InstanceRecord {
  readonly name: string;
  readonly vmId: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly createdAt: string;
  /** Absent: not spawned, or the spawner died before it could say so. */
  readonly process?: ProcessIdentity;
  /** The secrets went through its stdin: it can live on without whoever started it. */
  readonly handedOver?: boolean;
  readonly exit?: { readonly code?: number; readonly signal?: string };
}

const VM_ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const LOG_LIMIT = 4 * 1024 * 1024;
const TAIL_BYTES = 4 * 1024;

/** Folder of one VM: `instance.json`, `runtime.log`, and the workspace, which outlives every incarnation. Mode 0700. */
export class VmFolder {
  readonly path: string;

  constructor(root: string, vmId: string) {
    // Ids are ours, but a path is built from them: nothing but a plain name may pass.
    if (!VM_ID.test(vmId)) throw new TypeError(`not a VM id: ${JSON.stringify(vmId)}`);
    this.path = path.join(root, vmId);
  }

  get workspace(): string {
    return path.join(this.path, 'workspace');
  }

  private get logFile(): string {
    return path.join(this.path, 'runtime.log');
  }

  private get recordFile(): string {
    return path.join(this.path, 'instance.json');
  }

  make(): void {
    mkdirSync(this.workspace, { recursive: true, mode: 0o700 });
  }

  read(): InstanceRecord | undefined {
    try {
      return JSON.parse(readFileSync(this.recordFile, 'utf8')) as InstanceRecord;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  write(record: InstanceRecord): void {
    const draft = `${this.recordFile}.${randomBytes(4).toString('hex')}`;
    writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
    renameSync(draft, this.recordFile);
  }

  /** A new log for a new incarnation, opened for appending; the previous one is kept beside it. */
  openLog(): number {
    try {
      renameSync(this.logFile, `${this.logFile}.1`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return openSync(this.logFile, 'a', 0o600);
  }

  /** Keeps the log below its limit. The writer appends, so what follows lands behind the cut. */
  trimLog(): void {
    const size = statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= LOG_LIMIT) return;
    copyFileSync(this.logFile, `${this.logFile}.1`);
    truncateSync(this.logFile, 0);
  }

  /** The last words of the newest incarnation. */
  logTail(): string {
    return readTail(this.logFile, TAIL_BYTES) ?? '';
  }

  /** The same, further back: what was cut off or belongs to the incarnation before comes from the file beside it. Undefined: nothing was ever written. */
  logs(tailBytes: number): string | undefined {
    const newest = readTail(this.logFile, tailBytes);
    const missing = tailBytes - Buffer.byteLength(newest ?? '');
    const older = missing > 1 ? readTail(`${this.logFile}.1`, missing - 1) : undefined;
    if (newest === undefined || older === undefined) return newest ?? older;
    return [older, newest].filter((text) => text !== '').join('\n');
  }

  /** Milliseconds since anything was written down about it, by the clock of this machine. */
  idleMs(): number {
    const touched = statSync(this.recordFile, { throwIfNoEntry: false }) ?? statSync(this.path, { throwIfNoEntry: false });
    return touched === undefined ? 0 : Math.max(0, Date.now() - touched.mtimeMs);
  }

  /** Removes everything. It is out of sight at once, so that a crash in the middle leaves nothing that looks like a workspace. */
  async remove(): Promise<void> {
    const doomed = path.join(path.dirname(this.path), `${REMOVED}${path.basename(this.path)}-${randomBytes(4).toString('hex')}`);
    try {
      renameSync(this.path, doomed);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    for (const entry of readdirSync(path.dirname(this.path))) {
      if (entry.startsWith(REMOVED)) await rm(path.join(path.dirname(this.path), entry), { recursive: true, force: true });
    }
  }
}

const REMOVED = '.removed-';

/** Ids of the VMs that have a folder here. */
export function vmIdsBelow(root: string): string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && VM_ID.test(entry.name))
    .map(({ name }) => name);
}

/** The end of a file as text; undefined when there is none. */
function readTail(name: string, bytes: number): string | undefined {
  let file: number;
  try {
    file = openSync(name, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    const tail = Buffer.alloc(Math.min(size, bytes));
    readSync(file, tail, 0, tail.length, size - tail.length);
    return logTail(tail, bytes);
  } finally {
    closeSync(file);
  }
}

/**
 * The identity of a place where VMs live: whoever has this folder can see their processes and workspaces. Made once, by whichever
 * replica is first.
 */
export function hostIdOf(root: string): string {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const file = path.join(root, 'host-id');
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `host-${randomBytes(8).toString('hex')}`, { mode: 0o600 });
  try {
    linkSync(draft, file); // fails when it exists, and never shows half a file
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(file, 'utf8').trim();
}
