import { type ConsumerDefinition, plexusError } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import type { Bus, ConsumeOptions, Delivery, Outcome } from '../src/index.js';
import { listParked, showParked } from '../src/index.js';
import { COMMANDS, DLQ, Fixture, failure, RecordingLog, work, worker } from './fixture.js';

let fixture: Fixture;
let bus: Bus;
let counter = 0;
let tenant: string;
let consumer: ConsumerDefinition;

beforeAll(async () => {
  fixture = await Fixture.start();
  await fixture.apply({ streams: [COMMANDS, DLQ] });
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  bus = await fixture.connect();
  counter += 1;
  tenant = `tenant-${counter}`;
  consumer = worker({ name: `test-work-${counter}`, filter: `plexus.cmd.${tenant}.test.work.v1.>` });
});
afterEach(() => fixture.disconnectAll());

const DONE: Outcome = { kind: 'done' };
const QUICK: ConsumeOptions = { heartbeatMs: 500, backoff: { baseMs: 20, capMs: 40 } };

async function send(n: number, thingId = 'a'): Promise<void> {
  await bus.publish(work, { tenant, key: [thingId], data: { thingId, n } }, { timeoutMs: 60_000 });
}

async function sendRaw(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<void> {
  await bus.publishRaw(`plexus.cmd.${tenant}.test.work.v1.a`, Buffer.from(body), { headers });
}

/** Messages of this test that are still in the work queue: each leaves it when it is acknowledged. */
async function unfinished(): Promise<number> {
  const body = JSON.stringify({ subjects_filter: `plexus.cmd.${tenant}.>` });
  const answer = await bus.connection.request(`$JS.API.STREAM.INFO.${COMMANDS.name}`, body, { timeout: 30_000 });
  const { state } = answer.json<{ state: { subjects?: Record<string, number> } }>();
  return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
}

async function consume(handler: (delivery: Delivery) => Promise<Outcome>, options: ConsumeOptions = {}, rest: Partial<ConsumerDefinition> = {}) {
  consumer = { ...consumer, ...rest };
  await fixture.apply({ consumers: [consumer] });
  return bus.consume(consumer, handler, { ...QUICK, ...options });
}

describe('a delivery', () => {
  it('carries the event, its address, where it is stored and how often it came', async () => {
    const seen: Delivery[] = [];
    await consume(async (delivery) => {
      seen.push(delivery);
      return DONE;
    });
    await send(1, 'Thing 1');
    await waitFor(() => seen.length === 1);
    const [delivery] = seen as [Delivery<{ n: number }>];
    expect(delivery).toMatchObject({ tenant, key: ['Thing 1'], attempt: 1, data: { thingId: 'Thing 1', n: 1 } });
    expect(delivery.event).toMatchObject({ specversion: '1.0', tenantid: tenant, source: '/plexus/test' });
    expect(delivery.parsed).toMatchObject({ domain: 'test', name: 'work', version: 1 });
    expect(Math.abs(delivery.time - Date.now())).toBeLessThan(60_000);
    expect(delivery.seq).toBeGreaterThan(0);
    expect(delivery.headers.get('Nats-Msg-Id')).toBeDefined();
  });

  it('that is done is gone for good', async () => {
    const consumption = await consume(async () => DONE);
    for (let n = 0; n < 100; n += 1) await send(n);
    await waitFor(async () => consumption.stats.done === 100 && (await unfinished()) === 0);
    expect(consumption.stats).toMatchObject({ delivered: 100, done: 100, retried: 0, parked: 0 });
  });

  it('that is to be retried comes again after the pause, with a higher attempt', async () => {
    const attempts: { attempt: number; at: number }[] = [];
    await consume(async ({ attempt }) => {
      attempts.push({ attempt, at: performance.now() });
      return attempt < 3 ? { kind: 'retry', afterMs: 200, reason: 'not yet' } : DONE;
    });
    await send(1);
    await waitFor(() => attempts.length === 3);
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect((attempts[1] as { at: number }).at - (attempts[0] as { at: number }).at).toBeGreaterThan(150);
    await waitFor(async () => (await unfinished()) === 0);
  });

  it('that is parked keeps its original bytes and tells why, and leaves its stream', async () => {
    const consumption = await consume(async () => ({ kind: 'park', code: 'NOT_FOUND', reason: 'no such\nthing' }));
    await send(1, 'Thing 1');
    await waitFor(() => consumption.stats.parked === 1);
    const [parked] = await listParked(bus, { tenant });
    expect(parked).toMatchObject({
      subject: `plexus.dlq.${tenant}.test.${consumer.name}.v1.x--_54hing_201`,
      consumer: consumer.name,
      code: 'NOT_FOUND',
      reason: 'no such thing',
      attempts: 1,
      originSubject: `plexus.cmd.${tenant}.test.work.v1.x--_54hing_201`,
      originStream: COMMANDS.name,
    });
    const detail = await showParked(bus, parked?.seq as number);
    expect(JSON.parse(Buffer.from(detail?.body as Uint8Array).toString())).toMatchObject({ data: { thingId: 'Thing 1', n: 1 } });
    await waitFor(async () => (await unfinished()) === 0);
  });

  it('whose handler throws is tried again, and parked as HANDLER_FAILED at the last attempt', async () => {
    let attempts = 0;
    const consumption = await consume(async () => {
      attempts += 1;
      throw plexusError('UNAVAILABLE', { details: { what: 'database' } });
    });
    await send(1);
    await waitFor(() => consumption.stats.parked === 1);
    expect(attempts).toBe(3);
    const [parked] = await listParked(bus, { tenant });
    expect(parked).toMatchObject({ code: 'HANDLER_FAILED', attempts: 3, reason: expect.stringContaining('database') });
  });

  it('that asks for a retry at its last attempt is parked as MAX_DELIVERIES', async () => {
    const consumption = await consume(async () => ({ kind: 'retry', afterMs: 10, reason: 'still busy' }));
    await send(1);
    await waitFor(() => consumption.stats.parked === 1);
    expect(await listParked(bus, { tenant })).toMatchObject([{ code: 'MAX_DELIVERIES', reason: 'still busy', attempts: 3 }]);
  });

  it('is retried for ever where the consumer says so', async () => {
    let attempts = 0;
    await consume(
      async () => {
        attempts += 1;
        if (attempts < 8) throw new Error('provider is down');
        return DONE;
      },
      {},
      { maxDeliver: -1 },
    );
    await send(1);
    await waitFor(async () => attempts === 8 && (await unfinished()) === 0);
    expect(await listParked(bus, { tenant })).toEqual([]);
  });

  it('whose handler returns something that is no outcome counts as failed', async () => {
    const consumption = await consume(async () => undefined as never);
    await send(1);
    await waitFor(() => consumption.stats.parked === 1);
    expect(await listParked(bus, { tenant })).toMatchObject([{ code: 'HANDLER_FAILED' }]);
  });

  it('whose handler hangs counts as failed when its time is over, and its signal aborts', async () => {
    const aborted: boolean[] = [];
    const consumption = await consume(
      ({ signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => aborted.push(true));
        }),
      { handlerTimeoutMs: 100 },
    );
    await send(1);
    await waitFor(() => consumption.stats.parked === 1);
    expect(aborted).toHaveLength(3);
  });
});

describe('what is no event of ours', () => {
  const good = () => ({ specversion: '1.0', id: '1', source: '/x', type: 't', tenantid: tenant, data: {} });

  it('is parked as INVALID_EVENT without the handler seeing it', async () => {
    let handled = 0;
    const consumption = await consume(async () => {
      handled += 1;
      return DONE;
    });
    const bodies: (string | Uint8Array)[] = [
      'not json',
      '',
      Uint8Array.of(0xff, 0xfe),
      '[]',
      '"text"',
      JSON.stringify({ ...good(), specversion: '0.3' }),
      JSON.stringify({ ...good(), id: undefined }),
      JSON.stringify({ ...good(), id: '' }),
      JSON.stringify({ ...good(), source: undefined }),
      JSON.stringify({ ...good(), tenantid: 'somebody-else' }),
      `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`,
    ];
    for (const body of bodies) await sendRaw(body);
    await waitFor(() => consumption.stats.parked === bodies.length);
    expect(handled).toBe(0);
    const parked = await listParked(bus, { tenant });
    expect(new Set(parked.map(({ code, attempts }) => `${code} ${attempts}`))).toEqual(new Set(['INVALID_EVENT 1']));
    const first = await showParked(bus, parked[0]?.seq as number);
    expect(Buffer.from(first?.body as Uint8Array).toString()).toBe('not json');
  });

  it('without a tenantid is taken from the tenant of its subject', async () => {
    const seen: Delivery[] = [];
    await consume(async (delivery) => {
      seen.push(delivery);
      return DONE;
    });
    await sendRaw(JSON.stringify({ ...good(), tenantid: undefined, unknownextension: 'kept' }));
    await waitFor(() => seen.length === 1);
    expect(seen[0]).toMatchObject({ tenant, event: { unknownextension: 'kept' } });
  });

  it('in data is found when the consumer knows the contract, and tolerated otherwise', async () => {
    const seen: unknown[] = [];
    const consumption = await consume(
      async ({ data }) => {
        seen.push(data);
        return DONE;
      },
      { contracts: [work] },
    );
    await sendRaw(JSON.stringify({ ...good(), data: { thingId: 'a', n: 'seven' } }));
    await sendRaw(JSON.stringify({ ...good(), data: { thingId: 'a', n: 7, newer: true } }));
    await waitFor(() => consumption.stats.parked === 1 && consumption.stats.done === 1);
    expect(seen).toEqual([{ thingId: 'a', n: 7 }]);
    expect((await listParked(bus, { tenant }))[0]?.reason).toContain('"path":["n"]');
  });

  it('is passed as it is to consumers that ask for raw bytes', async () => {
    const seen: string[] = [];
    await consume(
      async ({ raw, data }) => {
        seen.push(Buffer.from(raw).toString(), String(data));
        return DONE;
      },
      { format: 'raw' },
    );
    await sendRaw('not json');
    await waitFor(() => seen.length > 0);
    expect(seen).toEqual(['not json', 'undefined']);
  });
});

describe('a consumption', () => {
  it('runs no more handlers at a time than its bound, and as many', async () => {
    let running = 0;
    let most = 0;
    const consumption = await consume(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running -= 1;
        return DONE;
      },
      { concurrency: 4 },
    );
    for (let n = 0; n < 60; n += 1) await send(n);
    await waitFor(() => consumption.stats.done === 60);
    expect(most).toBe(4);
  });

  it('with concurrency 1 keeps the order of the stream', async () => {
    const seen: number[] = [];
    await consume(
      async ({ data }) => {
        seen.push((data as { n: number }).n);
        await new Promise((resolve) => setImmediate(resolve));
        return DONE;
      },
      { concurrency: 1 },
    );
    for (let n = 0; n < 50; n += 1) await send(n);
    await waitFor(() => seen.length === 50);
    expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('keeps a message that takes longer than the ack wait, also while it waits for a free handler', async () => {
    const attempts: number[] = [];
    const consumption = await consume(
      async ({ attempt }) => {
        attempts.push(attempt);
        // Only the first one takes long: the second is kept because it waits for its turn.
        if (attempts.length === 1) await new Promise((resolve) => setTimeout(resolve, 14_000));
        return DONE;
      },
      { concurrency: 1, maxMessages: 2 },
      { ackWaitMs: 12_000 }, // long enough for a machine that stalls for seconds
    );
    await send(1);
    await send(2);
    await waitFor(() => consumption.stats.done === 2);
    expect(attempts).toEqual([1, 1]);
  });

  it('shares the work with other replicas of the service', async () => {
    const other = await fixture.connect();
    const counts = { first: 0, second: 0 };
    const handle = (who: keyof typeof counts) => async () => {
      counts[who] += 1;
      await new Promise((resolve) => setTimeout(resolve, 2));
      return DONE;
    };
    await consume(handle('first'), { concurrency: 2 });
    other.consume(consumer, handle('second'), { ...QUICK, concurrency: 2 });
    await waitFor(async () => (await bus.jetstream.consumerInfo(COMMANDS.name, consumer.name))?.num_waiting === 2);
    for (let n = 0; n < 100; n += 1) await send(n);
    await waitFor(() => counts.first + counts.second === 100);
    expect(Math.min(counts.first, counts.second)).toBeGreaterThan(0);
  });

  it('waits for a consumer that is made later', async () => {
    const log = new RecordingLog();
    const patient = await fixture.connect({ log });
    const consumption = patient.consume(consumer, async () => DONE, QUICK);
    await waitFor(() => log.messages('warn').length > 0);
    await fixture.apply({ consumers: [consumer] });
    await send(1);
    await waitFor(() => consumption.stats.done === 1);
  });

  it('goes on when its consumer was deleted and made again', async () => {
    const consumption = await consume(async () => DONE);
    await send(1);
    await waitFor(() => consumption.stats.done === 1);
    await bus.jetstream.deleteConsumer(COMMANDS.name, consumer.name);
    await fixture.apply({ consumers: [consumer] });
    await send(2);
    await waitFor(() => consumption.stats.done === 2);
  });
});

describe('stopping', () => {
  it('finishes what runs and hands the rest to another replica at once', async () => {
    const handled: string[] = [];
    const handle = (who: string, ms: number) => async (delivery: Delivery) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      handled.push(`${who}${(delivery.data as { n: number }).n}`);
      return DONE;
    };
    // Whoever waited for the ack wait instead would outlast this test.
    const first = await consume(handle('a', 100), { concurrency: 1, maxMessages: 10 }, { ackWaitMs: 120_000 });
    for (let n = 0; n < 5; n += 1) await send(n);
    await waitFor(() => first.stats.delivered === 5);
    const replica = await fixture.connect();
    replica.consume(consumer, handle('b', 0), QUICK);
    await waitFor(async () => (await bus.jetstream.consumerInfo(COMMANDS.name, consumer.name))?.num_waiting === 2);
    await first.stop();
    await waitFor(() => new Set(handled.map((entry) => entry.slice(1))).size === 5);
    expect(first.stats.inFlight).toBe(0);
    expect(handled.filter((entry) => entry.startsWith('b')).length).toBeGreaterThan(0);
  });

  it('does not wait for ever for a handler that hangs: its message is handed back and its signal aborts', async () => {
    let aborted = false;
    const consumption = await consume(
      ({ signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true;
          });
        }),
      { drainTimeoutMs: 100 },
      { maxDeliver: -1 },
    );
    await send(1);
    await waitFor(() => consumption.stats.inFlight === 1);
    await consumption.stop();
    expect(aborted).toBe(true);
    let again = 0;
    bus.consume(
      consumer,
      async ({ attempt }) => {
        again = attempt;
        return DONE;
      },
      QUICK,
    );
    await waitFor(() => again >= 2);
  });

  it('twice is stopping once', async () => {
    const consumption = await consume(async () => DONE);
    await Promise.all([consumption.stop(), consumption.stop(), bus.drain()]);
    expect(await failure((async () => bus.consume(consumer, async () => DONE))())).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('when the server is killed with -9 and comes back', () => {
  it('every message is handled at least once', async () => {
    const handled = new Map<number, number>();
    const consumption = await consume(
      async ({ data }) => {
        const { n } = data as { n: number };
        await new Promise((resolve) => setTimeout(resolve, 2));
        handled.set(n, (handled.get(n) ?? 0) + 1);
        return DONE;
      },
      { concurrency: 4 },
      { maxDeliver: -1, ackWaitMs: 1_000 },
    );
    for (let n = 0; n < 300; n += 1) await send(n);
    await waitFor(() => handled.size > 20);
    await fixture.crash(300);
    for (let n = 300; n < 320; n += 1) await send(n);
    await waitFor(() => handled.size === 320, { timeoutMs: 60_000 });
    expect(consumption.stats.failed).toBe(0);
  });

  it('a consumption that is idle wakes up again', async () => {
    const consumption = await consume(async () => DONE, {}, { ackWaitMs: 5_000 });
    await fixture.crash();
    await fixture.crash();
    await send(1);
    await waitFor(() => consumption.stats.done >= 1);
  });
});

it('a pull request that the server forgot is made anew when no sign of life comes', async () => {
  const log = new RecordingLog();
  const watched = await fixture.connect({ log });
  consumer = { ...consumer, ackWaitMs: 5_000 };
  await fixture.apply({ consumers: [consumer] });
  const consumption = watched.consume(consumer, async () => DONE, QUICK);
  await waitFor(async () => ((await bus.jetstream.consumerInfo(COMMANDS.name, consumer.name))?.num_waiting ?? 0) === 1);
  // Stopped, the server neither answers nor closes the connection.
  process.kill(fixture.nats.pid, 'SIGSTOP');
  await waitFor(() => log.entries.some(({ fields }) => fields.reason === 'no sign of life'));
  process.kill(fixture.nats.pid, 'SIGCONT');
  await waitFor(() => bus.isConnected() && watched.isConnected());
  await send(1);
  await waitFor(() => consumption.stats.done >= 1);
});
