import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createBackup, datedName, inOrder, pruneBackups, warningsOf } from './create-backup.js';
import type { Places } from './places.js';

const STARTED = '2026-11-24T03:00:00.000Z';
const at = (name: 'plexus' | 'memory', minutes: number) => ({ name, takenAt: new Date(Date.parse(STARTED) + minutes * 60_000).toISOString() });

describe('a backup', () => {
  it('says when it has no memories, and when it took longer than outboxes keep what they have published', () => {
    expect(warningsOf(STARTED, [at('plexus', 1), at('memory', 1)])).toEqual([]);
    expect(warningsOf(STARTED, [at('plexus', 1)])).toEqual([expect.stringContaining('MEMORY_DATABASE_URL is not set')]);
    expect(warningsOf(STARTED, [at('plexus', 9), at('memory', 1)])).toEqual([expect.stringContaining('took longer')]);
  });

  it('of nothing is none: what was named is not a mesh, and good backups must not make room for it', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'plexus-backups-'));
    try {
      const empty = { bus: { jetstream: { streams: async () => [{ config: { name: 'ORDERS' } }] } }, databases: [] } as unknown as Places;
      await expect(createBackup(empty, path.join(folder, 'one'), () => undefined)).rejects.toMatchObject({ code: 'NOTHING_THERE' });
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('takes sources before what is made of them, and buckets last', () => {
    const names = ['KV_PLEXUS_CONFIG', 'PLEXUS_DLQ', 'PLEXUS_EVT_SESSION', 'OBJ_PLEXUS_SKILLS', 'PLEXUS_IN', 'PLEXUS_CMD_PUSH'];
    expect(inOrder(names)).toEqual([...['PLEXUS_CMD_PUSH', 'PLEXUS_EVT_SESSION', 'PLEXUS_IN', 'PLEXUS_DLQ'], ...['KV_PLEXUS_CONFIG', 'OBJ_PLEXUS_SKILLS']]);
  });

  it('makes room for itself only among whole ones of its own name', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'plexus-backups-'));
    try {
      const days = [1, 2, 3].map((day) => datedName(new Date(Date.UTC(2026, 10, day))));
      for (const name of [...days, 'plexus-mine']) mkdirSync(path.join(folder, name));
      for (const name of [...days.slice(1), 'plexus-mine']) writeFileSync(path.join(folder, name, 'manifest.sha256'), '');
      expect(pruneBackups(folder, 1)).toEqual([days[1]]);
      expect(readdirSync(folder).sort()).toEqual([days[0], days[2], 'plexus-mine'].sort());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
