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
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
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

const LOG_LIMIT = 4 * 1024 * 1024;
const TAIL_BYTES = 4 * 1024;

/** Folder of one VM: `instance.json`, `runtime.log`, and the workspace, which outlives every incarnation. Mode 0700. */
export class VmFolder {
  readonly path: string;

  constructor(root: string, vmId: string) {
    // Ids are ours, but a path is built from them: nothing but a plain name may pass.
    if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(vmId)) throw new TypeError(`not a VM id: ${JSON.stringify(vmId)}`);
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

  /** The last words of the log. */
  logTail(): string {
    let file: number;
    try {
      file = openSync(this.logFile, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
      readSync(file, bytes, 0, bytes.length, size - bytes.length);
      // NUL is no text for a database.
      return bytes.toString('utf8').replaceAll('\0', '').trim();
    } finally {
      closeSync(file);
    }
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
