import { cpSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createPool } from '@plexus/database';
import { openPglite } from '@plexus/database/pglite';
import { statePaths } from '@plexus/local-stack';
import { throwAwayFolder, waitFor } from '../../src/index.js';
import { type Planted, plant } from './plant.js';
import { startTwoTenants, type TwoTenants } from './two-tenants.js';

/** What keeps something of a person until it is old enough, and why that is right. Told in docs/guides/erasing-a-person.md. */
const UNTIL_AGE: Readonly<Record<string, string>> = {
  'stream PLEXUS_IN': 'events of others, whose subjects name no person: 7 days',
  'stream KV_PLEXUS_VM_REQUESTS': 'answers kept for a repeated request: 5 minutes',
};

/** Where things are only until somebody has done them: they leave by themselves, erasure or not. */
const PASSING = /outbox|stream PLEXUS_CMD_|stream KV_PLEXUS_VM_REQUESTS/;

interface Erasure {
  readonly erasureId: string;
  readonly complete: boolean;
  readonly missing: readonly string[];
  readonly receipts: readonly { readonly service: string; readonly counts: Readonly<Record<string, number>>; readonly problem?: string }[];
}

describe('erasing a person', () => {
  let two: TwoTenants;
  let planted: Planted;
  let neighbour: Planted;

  beforeAll(async () => {
    two = await startTwoTenants();
    planted = await plant(two, two.victim);
    // Somebody of the same name in another tenant, of whom nothing may be lost.
    neighbour = await plant(two, two.attacker);
  }, 300_000);
  afterAll(async () => {
    await two?.stop();
  }, 60_000);

  async function tables(url: string, marker: string): Promise<string[]> {
    const database = createPool({ url, schema: 'public', applicationName: 'test', max: 1 });
    try {
      return await tablesWith(marker, (name, text, parameters) => database.query(name, text, parameters));
    } finally {
      await database.close();
    }
  }

  /** The memory service keeps its rows in its own process: a copy of its files is read instead. */
  async function memoryTables(marker: string): Promise<string[]> {
    const folder = throwAwayFolder('memory-copy');
    try {
      const copy = path.join(folder.path, 'memory');
      const pid = two.mesh.pids().memory as number;
      process.kill(pid, 'SIGSTOP');
      try {
        cpSync(statePaths(two.mesh.stateDir).memory, copy, { recursive: true, filter: (file) => !file.endsWith('.lock') });
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      const database = await openPglite(copy, { schema: 'memory' });
      try {
        return await tablesWith(marker, (name, text, parameters) => database.query(name, text, parameters));
      } finally {
        await database.close();
      }
    } finally {
      folder.remove();
    }
  }

  async function tablesWith(marker: string, query: <R>(name: string, text: string, parameters: unknown[]) => Promise<R[]>): Promise<string[]> {
    const names = await query<{ name: string }>(
      'tables',
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
      [],
    );
    const found: string[] = [];
    for (const { name } of names) {
      const rows = await query<{ n: number }>(`find_${name}`, `SELECT count(*)::int AS n FROM ${name} one WHERE to_jsonb(one)::text LIKE '%' || $1 || '%'`, [
        marker,
      ]);
      if ((rows[0]?.n ?? 0) > 0) found.push(`table ${name}`);
    }
    return found;
  }

  /** Streams, buckets and object stores: they are all streams to the server. Read message by message, because a work queue takes no second reader. */
  async function streams(marker: string): Promise<string[]> {
    const ask = async <T>(subject: string, body: object): Promise<T> =>
      (await two.operator.connection.request(subject, JSON.stringify(body), { timeout: 60_000 })).json() as T;
    const found: string[] = [];
    for (const stream of (await ask<{ streams: string[] }>('$JS.API.STREAM.NAMES', {})).streams) {
      for (let seq = 1; seq > 0; ) {
        const { message } = await ask<{ message?: { seq: number; subject: string; data?: string } }>(`$JS.API.STREAM.MSG.GET.${stream}`, {
          seq,
          next_by_subj: '>',
        });
        const isMarked = message !== undefined && (message.subject.includes(marker) || Buffer.from(message.data ?? '', 'base64').includes(marker));
        if (isMarked) found.push(`stream ${stream}`);
        // One message is enough to know.
        seq = message === undefined || isMarked ? 0 : message.seq + 1;
      }
    }
    return found;
  }

  /** Logs, traces, workspaces of VMs, journals: everything below the state folder but the files of the databases and of NATS. */
  function files(marker: string, directory = two.mesh.stateDir): string[] {
    const { nats, postgres, memory } = statePaths(two.mesh.stateDir);
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const file = path.join(directory, entry.name);
      if ([nats, postgres, memory].includes(file)) return [];
      if (entry.isDirectory()) return files(marker, file);
      return entry.isFile() && contains(file, marker) ? [`file ${path.relative(two.mesh.stateDir, file)}`] : [];
    });
  }

  async function everywhere(marker: string): Promise<string[]> {
    return [...(await tables(two.mesh.databaseUrl, marker)), ...(await memoryTables(marker)), ...(await streams(marker)), ...files(marker)];
  }

  it('leaves nothing of them in any store but what has to grow old by itself, with a receipt of every service, and takes nothing from anybody else', async () => {
    const before = await everywhere(planted.person);
    // A search that finds nothing must have something to be found.
    expect(before.filter((place) => place.startsWith('table')).length).toBeGreaterThan(12);
    const needed = ['table memory.memory', 'table memory.session_msg', 'stream PLEXUS_EVT_SESSION', 'stream PLEXUS_PUSH_LOG', 'stream PLEXUS_DLQ'];
    expect(needed.filter((place) => !before.includes(place))).toEqual([]);
    expect(before.some((place) => place.startsWith('file vms/'))).toBe(true);
    const neighbourBefore = await everywhere(neighbour.person);

    expect((await two.victim.ask('POST', '/v1/erasures', { user: two.victim.user, confirm: 'somebody else' })).status).toBe(400);
    const { erasureId } = await two.victim.do<Erasure>('POST', '/v1/erasures', { user: two.victim.user, confirm: two.victim.user });
    const erasure = await waitFor(
      async () => {
        const now = await two.victim.do<Erasure>('GET', `/v1/erasures/${erasureId}`);
        return now.complete ? now : undefined;
      },
      { timeoutMs: 120_000, what: 'the receipts' },
    );
    expect(erasure.receipts.map(({ service }) => service).sort()).toEqual(['memory', 'push', 'routing', 'scheduler']);
    expect(erasure.receipts.filter(({ problem }) => problem !== undefined)).toEqual([]);
    // All three that were planted: by the user, the session and the key of the session.
    expect(erasure.receipts.find(({ service }) => service === 'routing')?.counts.deadLetters).toBeGreaterThanOrEqual(3);
    for (const { service, counts } of erasure.receipts) expect([service, Object.values(counts).some((count) => count > 0)]).toEqual([service, true]);

    // The VM is ended, and its workspace with it, when it has had its time to stop.
    let left: string[] = [];
    await waitFor(
      async () => {
        left = (await everywhere(planted.person)).filter((place) => !(place in UNTIL_AGE));
        return left.length === 0;
      },
      { timeoutMs: 240_000, intervalMs: 2_000, what: 'the end of everything' },
    ).catch(() => undefined);
    expect(left).toEqual([]);
    const neighbourAfter = await everywhere(neighbour.person);
    expect(neighbourBefore.filter((place) => !PASSING.test(place) && !neighbourAfter.includes(place))).toEqual([]);

    // Who erased whom was written down; nothing of what was erased.
    const audit = await streams('routing.erase-user');
    expect(audit).toContain('stream PLEXUS_EVT_AUDIT');
  }, 600_000);
});

function contains(file: string, marker: string): boolean {
  try {
    return readFileSync(file).includes(marker);
  } catch (error) {
    // Servers remove files of theirs while they run.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
