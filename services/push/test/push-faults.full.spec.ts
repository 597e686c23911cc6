import path from 'node:path';
import { defineInbound, pushContracts } from '@plexus/contracts';
import { migrate } from '@plexus/database';
import { startTestPostgres, type TestPostgres, waitFor } from '@plexus/testing';
import { z } from 'zod';
import { PushProcess, startTestMesh, type TestMesh } from './support/mesh.js';
import { prismaFolder } from './support/push-on-postgres.js';

const happened = defineInbound({
  domain: 'demo',
  name: 'happened',
  version: 1,
  key: ['id'],
  summary: 'For tests.',
  data: z.object({ caseId: z.string() }),
  examples: [{ caseId: 'c' }],
});
const { subscribe, fetchInbox } = pushContracts;

/** A real process, killed; real servers, killed and started again. */
describe('push survives', () => {
  let mesh: TestMesh;
  let postgres: TestPostgres;
  let push: PushProcess[] = [];
  const start = async () => {
    const started = await PushProcess.start(mesh, postgres.url());
    push.push(started);
    return started;
  };

  beforeAll(async () => {
    [mesh, postgres] = await Promise.all([startTestMesh(), startTestPostgres()]);
    await migrate({ url: postgres.url(), schema: 'push', directory: path.join(prismaFolder, 'migrations') });
  });
  afterAll(async () => {
    await postgres?.stop();
    await mesh?.stop();
  });
  afterEach(async () => {
    await Promise.all(push.map((process) => process.end()));
    push = [];
  });

  /** Publishes with a receipt each, as a careful producer does: whatever got one must arrive, once. */
  const publishAll = async (caseId: string, from: number, to: number) => {
    for (let n = from; n <= to; n += 1) {
      const event = { tenant: 'acme', key: [`k${n}`], id: `${caseId}-${n}`, source: '/demo', data: { caseId } };
      await waitFor(() => mesh.gateway.publish(happened, event), { what: `the receipt of event ${n}`, timeoutMs: 60_000 });
    }
  };
  const allItems = async (user: string) => {
    const ids: string[] = [];
    for (let after = 0; ; ) {
      const { items } = await mesh.gateway.call(fetchInbox, 'acme', { after, limit: 200 }, mesh.user(user));
      for (const { offset, events } of items) {
        expect(offset).toBe(after + 1);
        after = offset;
        ids.push(events[0]?.id as string);
      }
      if (items.length === 0) return ids;
    }
  };
  const expectEachOnce = async (user: string, caseId: string, count: number) => {
    const ids = await waitFor(
      async () => {
        const found = await allItems(user);
        return found.length >= count ? found : undefined;
      },
      { what: `${count} items`, timeoutMs: 180_000, intervalMs: 250 },
    );
    expect([...ids].sort()).toEqual(Array.from({ length: count }, (_, index) => `${caseId}-${index + 1}`).sort());
  };
  /** Messages that were delivered to push and not ended yet, as the server counts them. */
  const held = async () => {
    const reply = await mesh.gateway.connection.request('$JS.API.CONSUMER.INFO.PLEXUS_IN.push-in', '', { timeout: 2_000 });
    return (reply.json() as { num_ack_pending: number }).num_ack_pending;
  };
  const follow = (user: string) => mesh.gateway.call(subscribe, 'acme', { scopeKind: 'case', scopeRef: user }, mesh.user(user));

  it('being killed again and again while events arrive: each is delivered once, without gaps', async () => {
    let running = await start();
    await follow('killed');
    const publishing = publishAll('killed', 1, 240);
    for (let kills = 0; kills < 3; kills += 1) {
      await waitFor(async () => (await allItems('killed')).length > kills * 50, { what: 'some items before the next kill', timeoutMs: 180_000 });
      await running.end('SIGKILL');
      running = await start();
    }
    await publishing;
    await expectEachOnce('killed', 'killed', 240);
  });

  it('a crash of Postgres while events arrive: they wait and are delivered once, without using up their deliveries', async () => {
    await start();
    await follow('database');
    await publishAll('database', 1, 20);
    await postgres.kill('SIGKILL');
    await publishAll('database', 21, 60);
    await postgres.restart();
    await publishAll('database', 61, 80);
    await expectEachOnce('database', 'database', 80);
    const parked = await mesh.gateway.lastOnSubject('PLEXUS_DLQ', 'plexus.dlq.acme.demo.push-in.v1.k21');
    expect(parked).toBeUndefined();
  });

  it('a crash of nats-server: what was acknowledged is delivered once', async () => {
    await start();
    await follow('nats');
    await publishAll('nats', 1, 50);
    await mesh.nats.kill('SIGKILL');
    await mesh.nats.restart();
    await publishAll('nats', 51, 100);
    await expectEachOnce('nats', 'nats', 100);
  });

  it('SIGTERM in order: exit code 0 within a few seconds, also while the database is away', async () => {
    const running = await start();
    await follow('stopped');
    await postgres.kill('SIGQUIT'); // with all its backends: a killed postmaster leaves some behind that still answer
    try {
      await publishAll('stopped', 1, 5);
      await waitFor(async () => (await held()) >= 5, { what: 'the events to be held by push' });
      await expect(running.end('SIGTERM')).resolves.toBe(0);
    } finally {
      await postgres.restart();
    }
    await start();
    await expectEachOnce('stopped', 'stopped', 5);
  });

  it('keeps within its share of memory at rest', async () => {
    const running = await start();
    // Some 122 where it is measured alone; how much of the young generation is left over at this moment is up to the machine.
    expect(running.residentMiB()).toBeLessThan(150);
  });

  it('refuses to start on a database that was not migrated, and says what to run', async () => {
    const empty = postgres.url('template1');
    await expect(PushProcess.start(mesh, empty)).rejects.toThrow(/push ended with 78: .*plexus db migrate/s);
  });
});
