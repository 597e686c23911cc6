import { rmSync } from 'node:fs';
import { readPrivate, writePrivate } from './private-file.js';
import { isRunning, type ProcessIdentity } from './process-identity.js';
import { statePaths } from './state-paths.js';

/** What a running mesh says about itself in its state folder, for `plexus` and other programs of the same user. */
export interface MeshRecord {
  /** The launcher. */
  readonly process: ProcessIdentity;
  readonly startedAt: string;
  readonly gateway: { readonly ws: string; readonly http: string };
  readonly nats: string;
  readonly services: Readonly<Record<string, { readonly pid: number; readonly http: string | undefined }>>;
}

/** The record of the mesh that runs on this state folder now; undefined when none does (a record whose launcher is gone counts as none). */
export function readMeshRecord(stateDir: string): MeshRecord | undefined {
  const text = readPrivate(statePaths(stateDir).meshRecord);
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as MeshRecord;
    return isRunning(record.process) ? record : undefined;
  } catch {
    return undefined; // not written by us: as good as none
  }
}

export function writeMeshRecord(stateDir: string, record: MeshRecord): void {
  writePrivate(statePaths(stateDir).meshRecord, JSON.stringify(record, undefined, 2));
}

export function removeMeshRecord(stateDir: string): void {
  rmSync(statePaths(stateDir).meshRecord, { force: true });
}
