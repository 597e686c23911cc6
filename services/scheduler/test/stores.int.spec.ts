import path from 'node:path';
import { createPool, type Database, type PostgresDatabase, type Tx } from '@plexus/database';
import { ulid } from '@plexus/kernel';
import { createTestDatabase, type TestDatabase, waitFor } from '@plexus/testing';
import { PostgresConnectionStore } from '../src/adapters/postgres/postgres-connection-store.js';
import { PostgresInboxStore } from '../src/adapters/postgres/postgres-inbox-store.js';
import { PostgresOwnerStore } from '../src/adapters/postgres/postgres-owner-store.js';
import { PostgresRunStore } from '../src/adapters/postgres/postgres-run-store.js';
import { PostgresVmStore } from '../src/adapters/postgres/postgres-vm-store.js';
import type { Events } from '../src/application/events.js';
import type { RunAddress } from '../src/application/ports.js';
import { prismaFolder } from './support/mesh.js';

const unexpected = (): never => {
  throw new Error('no such event belongs here');
};
const events: Events = {
  stateChanged: unexpected,
  memoryWrite: unexpected,
  runEnded: ({ sessionId, runId }) => ({ subject: `end.${sessionId}`, msgId: `${sessionId}:${runId}:end`, body: new Uint8Array() }),
};
const making = { events, replica: 'spec', quota: () => undefined, defaultProvider: 'local', limitsOf: () => ({}) };
const command = (message: string, history: { role: string; text: string }[] = []) => ({ message, history, timeoutMs: 600_000 });

describe('runs and frames in Postgres', () => {
  let database: TestDatabase;
  let pool: PostgresDatabase;
  let runs: PostgresRunStore;
  let connections: PostgresConnectionStore;
  let statements = 0;

  const rows = <R>(sql: string, parameters: unknown[] = []): Promise<R[]> => {
    statements += 1;
    return pool.query<R>(`spec_${statements}`, sql, parameters);
  };
  const addressOf = (owner: string): RunAddress => ({
    tenant: 'acme',
    sessionId: ulid(),
    sessionKey: 'agent:main:main',
    owner,
    agentId: 'main',
    runId: `run-${ulid()}`,
  });
  /** A VM of the owner whose incarnation takes work. */
  const readyVm = async (owner: string): Promise<{ vmId: string; epoch: number }> => {
    const vmId = `vm-${ulid()}`;
    await rows(
      `INSERT INTO vms (id, tenant_id, subject_id, scope_key, state, observed_generation, next_action_at) VALUES ($1, 'acme', $2, 'user', 'ready', 1, now())`,
      [vmId, owner],
    );
    const [instance] = await rows<{ epoch: number }>(
      `INSERT INTO vm_instances (vm_id, provider, provider_name, phase, conn_gen, attached_at) VALUES ($1, 'local', $1, 'running', 1, now()) RETURNING epoch`,
      [vmId],
    );
    const epoch = instance?.epoch ?? 0;
    await rows('UPDATE vms SET current_epoch = $2 WHERE id = $1', [vmId, epoch]);
    return { vmId, epoch };
  };
  const start = (run: RunAddress, history: { role: string; text: string }[] = []) =>
    runs.start(run, 'user', command('hello', history), undefined, `vm-${ulid()}`);
  const frameTypes = async (vmId: string): Promise<string[]> =>
    (await rows<{ type: string }>('SELECT type FROM vm_outbox WHERE vm_id = $1 ORDER BY seq', [vmId])).map(({ type }) => type);
  const stateOf = async (run: RunAddress): Promise<string | undefined> =>
    (await rows<{ state: string }>('SELECT state FROM vm_runs WHERE session_id = $1 AND run_id = $2', [run.sessionId, run.runId]))[0]?.state;

  beforeAll(async () => {
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'scheduler');
    pool = createPool({ url: database.url, schema: 'scheduler', applicationName: 'spec', max: 3 });
    runs = new PostgresRunStore(pool, events, making);
    connections = new PostgresConnectionStore(pool, events, 'spec', 30_000);
  });
  afterAll(async () => {
    await pool.close();
    await database.drop();
  });

  it('gives out frames in pages that fit into a reply, in order and without a gap, a frame larger than a page alone', async () => {
    const { vmId, epoch } = await readyVm('ada');
    const long = (kib: number) => [{ role: 'user', text: 'x'.repeat(kib * 1024) }];
    const run = addressOf('ada');
    for (const kib of [100, 100, 600, 100, 100]) await start({ ...run, runId: `run-${ulid()}` }, long(kib));
    const pages: number[][] = [];
    for (let after = 0; pages.length < 10; after = pages.at(-1)?.at(-1) ?? 0) {
      const page = await connections.readOutbox({ vmId, epoch, tenant: 'acme' }, 1, after, 64);
      if (page === undefined || page.frames.length === 0) break;
      if (page.frames.length > 1) expect(JSON.stringify(page.frames).length).toBeLessThan(300 * 1024);
      pages.push(page.frames.map(({ fseq }) => fseq));
    }
    expect(pages.flat()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(pages).toContainEqual([4]);
    expect(pages.length).toBeLessThan(6);
  });

  it('tells the VM to stop, once, when the end of the run was read before its cancel', async () => {
    const { vmId } = await readyVm('bob');
    const run = addressOf('bob');
    await start(run);
    await runs.close(run.tenant, run.sessionId, run.runId, { seq: 1, vmId: undefined, epoch: undefined });
    expect(await stateOf(run)).toBe('ended');
    expect(await runs.cancel(run, 'reset')).toEqual({ vmId, queued: true });
    expect(await runs.cancel(run, 'reset')).toBeUndefined();
    expect(await frameTypes(vmId)).toEqual(['start_session', 'user_message', 'cancel']);
    expect(await stateOf(run)).toBe('ended');
  });

  it('tells the VM to stop when the run gets its VM between the look at it and the lock', async () => {
    const run = addressOf('cyd');
    await rows(
      `INSERT INTO vm_runs (tenant_id, session_id, run_id, state, session_key, owner, agent_id, command) VALUES ('acme', $1, $2, 'open', $3, 'cyd', 'main', '{}')`,
      [run.sessionId, run.runId, run.sessionKey],
    );
    const { vmId, epoch } = await readyVm('cyd');
    const bind = () => rows('UPDATE vm_runs SET vm_id = $2, handed_epoch = $3 WHERE run_id = $1', [run.runId, vmId, epoch]);
    expect(await new PostgresRunStore(after(pool, 'run_find', bind), events, making).cancel(run, 'user')).toEqual({ vmId, queued: true });
    expect(await frameTypes(vmId)).toEqual(['cancel']);
    expect(await stateOf(run)).toBe('open');
  });

  it('does not take a late end of the VM that a session has left for one of the VM that has it now, however their epochs compare', async () => {
    const [left, now] = [await readyVm('dee'), await readyVm('eli')];
    const run = addressOf('dee');
    await start(run);
    await rows('UPDATE vm_sessions SET vm_id = $2, epoch = 1, marked_epoch = 1, marker_seq = 10 WHERE session_id = $1', [run.sessionId, now.vmId]);
    const close = (vmId: string, epoch: number) => runs.close(run.tenant, run.sessionId, run.runId, { seq: 11, vmId, epoch });
    await close(left.vmId, left.epoch);
    expect(await stateOf(run)).toBe('open');
    await close(now.vmId, 1);
    expect(await stateOf(run)).toBe('ended');
  });

  it('shows nobody the end of a run without the activity that it is: an idle limit is counted from there', async () => {
    const { vmId } = await readyVm('fay');
    const run = addressOf('fay');
    await start(run);
    await rows(`UPDATE vms SET last_activity_at = now() - interval '1 hour' WHERE id = $1`, [vmId]);
    const seen: (string | undefined)[] = [];
    const watched = after(pool, 'run_close', async () => {
      seen.push(await stateOf(run));
    });
    await new PostgresRunStore(watched, events, making).close(run.tenant, run.sessionId, run.runId, { seq: 1, vmId: undefined, epoch: undefined });
    expect(seen).toEqual(['open']);
    expect(await stateOf(run)).toBe('ended');
    expect(await rows(`SELECT last_activity_at > now() - interval '30 minutes' AS active FROM vms WHERE id = $1`, [vmId])).toEqual([{ active: true }]);
  });

  it('lets a first connection in only after the ticket of its incarnation was redeemed; later ones need none', async () => {
    const { vmId, epoch } = await readyVm('gus');
    await rows('UPDATE vm_instances SET attached_at = NULL, conn_gen = 0 WHERE vm_id = $1', [vmId]);
    const attach = () => connections.attach({ vmId, epoch, tenant: 'acme' }, { gateway: 'gw', recvSeq: 0 });
    expect(await attach()).toEqual({ kind: 'no-ticket' });
    await rows(`INSERT INTO vm_tickets (hash, vm_id, epoch, expires_at) VALUES ('\\x01', $1, $2, now() + interval '1 hour')`, [vmId, epoch]);
    expect(await attach()).toEqual({ kind: 'no-ticket' });
    await rows('UPDATE vm_tickets SET used_at = now(), epoch = epoch - 1 WHERE vm_id = $1', [vmId]);
    expect(await attach()).toEqual({ kind: 'no-ticket' });
    await rows('UPDATE vm_tickets SET epoch = epoch + 1 WHERE vm_id = $1', [vmId]);
    expect(await attach()).toMatchObject({ kind: 'attached', attachment: { connGen: 1 } });
    await rows('DELETE FROM vm_tickets WHERE vm_id = $1', [vmId]);
    expect(await attach()).toMatchObject({ kind: 'attached', attachment: { connGen: 2 } });
  });

  it('does not write over a wake that came while its decision was made', async () => {
    const { vmId } = await readyVm('hal');
    const store = new PostgresVmStore({ database: pool, events, replica: 'spec', hostIds: [], policy: { leaseMs: 30_000 } });
    await store.seize(vmId);
    const snapshot = await store.load(vmId);
    if (snapshot === undefined) throw new TypeError('the VM is gone');
    const later = { patch: {}, effect: { kind: 'none' }, nextActionAt: snapshot.now + 3_600_000 } as const;
    await store.wake(vmId);
    expect(await store.commit(snapshot, later, { release: true })).toBe(false);
    const again = await store.load(vmId);
    if (again === undefined) throw new TypeError('the VM is gone');
    expect(await store.commit(again, later, { release: true })).toBe(true);
  });

  it('takes no frame of an incarnation that is over, although no other has followed', async () => {
    const { vmId, epoch } = await readyVm('ike');
    const inbox = new PostgresInboxStore(pool, events);
    expect(await inbox.mark({ vmId, epoch, tenant: 'acme' }, 1)).toBe(1);
    await rows(`UPDATE vm_instances SET phase = 'gone' WHERE vm_id = $1`, [vmId]);
    expect(await inbox.mark({ vmId, epoch, tenant: 'acme' }, 2)).toBeUndefined();
    expect(await inbox.applyFrame({ vmId, epoch, tenant: 'acme' }, 2, { type: 'ping' })).toEqual({ kind: 'fenced' });
  });

  it('keeps no snapshot of a session that is forgotten while the snapshot is taken in', async () => {
    const { vmId, epoch } = await readyVm('ivy');
    const run = addressOf('ivy');
    await start(run);
    await runs.close(run.tenant, run.sessionId, run.runId, { seq: 1, vmId: undefined, epoch: undefined });
    let forgotten: Promise<boolean> | undefined;
    let over = false;
    const waits = async () =>
      (await rows(`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DELETE FROM vm_sessions%'`))
        .length > 0;
    const forget = async () => {
      forgotten ??= new PostgresOwnerStore(pool, making, 60_000).forgetSession('acme', run.sessionId).finally(() => {
        over = true;
      });
      await waitFor(async () => over || (await waits()), { what: 'the session to be forgotten, or to wait for the snapshot' });
    };
    const frame = { type: 'fire_and_forget', session_id: run.sessionId, method: 'snapshot_sync', params: { checkpoint: 'private' } };
    await new PostgresInboxStore(after(pool, 'inbox_session', forget), events).applyFrame({ vmId, epoch, tenant: 'acme' }, 1, frame);
    expect(await forgotten).toBe(true);
    expect(await rows('SELECT 1 FROM session_snapshots WHERE session_id = $1', [run.sessionId])).toEqual([]);
  });
});

/** The same database, with something that happens elsewhere right after a statement of a transaction. */
function after(database: PostgresDatabase, statement: string, happens: () => Promise<unknown>): Database {
  const watched = (tx: Tx): Tx => ({
    query: async <R>(name: string, text: string, parameters?: readonly unknown[]) => {
      const found = await tx.query<R>(name, text, parameters);
      if (name === statement) await happens();
      return found;
    },
    script: (sql) => tx.script(sql),
  });
  return Object.assign(Object.create(database) as PostgresDatabase, {
    transaction: <T>(work: (tx: Tx) => Promise<T>) => database.transaction((tx) => work(watched(tx))),
  });
}
