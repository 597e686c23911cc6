import { type Principal, plexusError } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import type { Bus, BusIdentity } from '../src/index.js';
import { Fixture, failure, greet, RecordingLog } from './fixture.js';

let fixture: Fixture;
let bus: Bus;

beforeAll(async () => {
  fixture = await Fixture.start();
});
afterAll(() => fixture.stop());
beforeEach(async () => {
  bus = await fixture.connect();
});
afterEach(() => fixture.disconnectAll());

const answer =
  (text = 'hi') =>
  async () => ({ text });

describe('a call', () => {
  it('reaches the handler with defaults filled in and unknown keys stripped, and brings its answer back', async () => {
    const seen: unknown[] = [];
    bus.serve(greet, async (data, { tenant, principal }) => {
      seen.push(data, tenant, principal.role);
      return { text: `hello ${data.name}`, secret: 1 } as { text: string };
    });
    const reply = await bus.call(greet, 'acme', { name: 'Ada' });
    expect(reply).toEqual({ text: 'hello Ada' });
    expect(seen).toEqual([{ name: 'Ada', times: 1 }, 'acme', 'service']);
  });

  it('is answered in an inbox and nowhere else: a caller cannot have a service write where it may not', async () => {
    bus.serve(greet, answer());
    bus.registerDiscovery({ version: '1' });
    await bus.connection.flush();
    const caller = await fixture.connect();
    const elsewhere: string[] = [];
    const listening = caller.connection.subscribe('$KV.PLEXUS_REVOCATIONS.>', { callback: (_error, message) => void elsewhere.push(message.subject) });
    caller.connection.publish(greet.subject('acme'), Buffer.from('{"name":"Ada"}'), { reply: '$KV.PLEXUS_REVOCATIONS.user.globex.ada' });
    caller.connection.publish('$SRV.PING', Buffer.alloc(0), { reply: '$KV.PLEXUS_REVOCATIONS.user.globex.bo' });
    // Behind both on the same connections.
    expect(await caller.call(greet, 'acme', { name: 'Ada' })).toEqual({ text: 'hi' });
    await caller.connection.request('$SRV.PING', Buffer.alloc(0), { timeout: 30_000 });
    await caller.connection.flush();
    listening.unsubscribe();
    expect(elsewhere).toEqual([]);
  });

  it('strips what an older or newer caller sends beside the contract', async () => {
    let seen: unknown;
    bus.serve(greet, async (data) => {
      seen = data;
      return { text: '' };
    });
    await bus.connection.request('plexus.rpc.acme.test.greet.v1', JSON.stringify({ name: 'Ada', times: 2, extra: true }), { timeout: 30_000 });
    expect(seen).toEqual({ name: 'Ada', times: 2 });
  });

  it('with data that does not fit is refused before it is sent, with every issue and its path', async () => {
    const error = await failure(bus.call(greet, 'acme', { name: '', times: 0, typo: 1 } as never));
    expect(error.code).toBe('INVALID_REQUEST');
    expect(error.details?.issues).toEqual(expect.arrayContaining([expect.objectContaining({ path: ['name'] }), expect.objectContaining({ path: ['times'] })]));
  });

  it('with an unknown key is refused, because the callee would not see it', async () => {
    const error = await failure(bus.call(greet, 'acme', { name: 'Ada', typo: 1 } as never));
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', details: { issues: [{ path: ['typo'], code: 'unrecognized_keys' }] } });
  });

  it('that arrives malformed is answered with INVALID_REQUEST or INVALID_JSON, never with a crash', async () => {
    bus.serve(greet, answer());
    const ask = async (body: string | Uint8Array) => {
      const message = await bus.connection.request('plexus.rpc.acme.test.greet.v1', body, { timeout: 30_000 });
      return message.headers?.get('Nats-Service-Error-Code');
    };
    expect(await ask('{"name":1}')).toBe('INVALID_REQUEST');
    expect(await ask('{"name":')).toBe('INVALID_JSON');
    expect(await ask('')).toBe('INVALID_JSON');
    expect(await ask(Uint8Array.of(0x22, 0xff, 0x22))).toBe('INVALID_JSON');
    expect(await ask(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)).toBe('INVALID_JSON');
    expect(await ask('{"name":"a","__proto__":{"x":1}}')).toBe('INVALID_JSON');
  });

  it('fails at once with NO_RESPONDERS when nobody serves it', async () => {
    // A wait for the time limit would end this test, and with another code.
    const error = await failure(bus.call(greet, 'acme', { name: 'Ada' }, { timeoutMs: 120_000 }));
    expect(error).toMatchObject({ code: 'NO_RESPONDERS', retryable: true });
  });

  it('fails with TIMEOUT when the handler is too slow, and the handler sees its signal abort', async () => {
    let aborted = false;
    bus.serve(greet, async (_data, { signal }) => {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve());
      });
      aborted = true;
      return new Promise(() => {});
    });
    // A call that the machine held up until its time was over never reached the handler: the next one does.
    await waitFor(async () => {
      const error = await failure(bus.call(greet, 'acme', { name: 'Ada' }, { timeoutMs: 150 }));
      expect(error).toMatchObject({ code: 'TIMEOUT', retryable: true });
      return aborted;
    });
  });

  it('is given up when its signal aborts', async () => {
    bus.serve(greet, () => new Promise(() => {}));
    const controller = new AbortController();
    const call = failure(bus.call(greet, 'acme', { name: 'Ada' }, { signal: controller.signal }));
    controller.abort();
    expect(await call).toMatchObject({ code: 'CANCELLED' });
    expect(await failure(bus.call(greet, 'acme', { name: 'Ada' }, { signal: controller.signal }))).toMatchObject({ code: 'CANCELLED' });
  });

  it('whose deadline has passed is not handled at all', async () => {
    let handled = 0;
    bus.serve(greet, async () => {
      handled += 1;
      return { text: '' };
    });
    const { headers } = await import('@nats-io/transport-node');
    const late = headers();
    late.set('Plexus-Deadline', String(Date.now() - 1_000));
    const message = await bus.connection.request('plexus.rpc.acme.test.greet.v1', '{"name":"Ada"}', { timeout: 30_000, headers: late });
    expect(message.headers?.get('Nats-Service-Error-Code')).toBe('TIMEOUT');
    expect(handled).toBe(0);
  });

  it('brings an error of the handler back with code, sentence, retryability and details', async () => {
    bus.serve(greet, async () => {
      throw plexusError('QUOTA_EXCEEDED', { message: 'The quota of zwölf is used up.\nReally.', details: { limit: 12 } });
    });
    const error = await failure(bus.call(greet, 'acme', { name: 'Ada' }));
    expect(error).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      message: 'The quota of zwölf is used up.\nReally.',
      retryable: true,
      details: { limit: 12 },
      status: 429,
    });
  });

  it('hides what an unexpected error says, and logs it', async () => {
    const log = new RecordingLog();
    const server = await fixture.connect({ log });
    server.serve(greet, async () => {
      throw new Error('password is hunter2');
    });
    await server.connection.flush();
    const error = await failure(bus.call(greet, 'acme', { name: 'Ada' }));
    expect(error.code).toBe('INTERNAL');
    expect(JSON.stringify(error)).not.toContain('hunter2');
    expect(log.entries.find(({ level }) => level === 'error')?.fields.err).toMatchObject({ message: 'password is hunter2' });
  });

  it('is answered with INTERNAL when the handler breaks its own contract, and that is logged', async () => {
    const log = new RecordingLog();
    const server = await fixture.connect({ log });
    server.serve(greet, async () => ({ text: 5 }) as never);
    await server.connection.flush();
    expect(await failure(bus.call(greet, 'acme', { name: 'Ada' }))).toMatchObject({ code: 'INTERNAL' });
    expect(log.messages('error')).toContain('a call failed');
  });

  it('larger than a message may be is refused', async () => {
    bus.serve(greet, async () => ({ text: 'x'.repeat(2 * 1024 * 1024) }));
    expect(await failure(bus.call(greet, 'acme', { name: 'Ada' }))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it('to something that is no tenant is refused', async () => {
    expect(await failure(bus.call(greet, 'Not A Tenant', { name: 'Ada' }))).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('beyond the bound of pending calls is refused with QUEUE_FULL instead of being stored', async () => {
    const small = await fixture.connect({ maxPendingRequests: 2 });
    bus.serve(greet, () => new Promise(() => {}));
    await bus.connection.flush();
    const waiting = [small.call(greet, 'acme', { name: 'a' }, { timeoutMs: 300 }), small.call(greet, 'acme', { name: 'b' }, { timeoutMs: 300 })].map(failure);
    await waitFor(async () => (await failure(small.call(greet, 'acme', { name: 'c' }, { timeoutMs: 300 }))).code === 'QUEUE_FULL');
    for (const call of waiting) expect((await call).code).toBe('TIMEOUT');
  });
});

describe('a process that stalled', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  /** As a long collection of garbage or a frozen machine. */
  const standStill = (ms: number): void => {
    for (const until = performance.now() + ms; performance.now() < until; );
  };

  it('takes the answers that have arrived meanwhile before it gives anything up', async () => {
    // Again where the server stood still as well, and had not answered yet.
    await waitFor(async () => {
      const elsewhere = bus.jetstream.streamInfo('PLEXUS_NOWHERE', { timeoutMs: 200 });
      for (let turns = 0; turns < 3; turns += 1) await turn(); // it is on its way
      standStill(1_200);
      return (await elsewhere) === undefined;
    });
  });

  it('again and again gives up what nobody answers all the same', async () => {
    bus.connection.subscribe('plexus.rpc.acme.test.greet.v1', { callback: () => undefined });
    await bus.connection.flush();
    let error: unknown;
    void bus.call(greet, 'acme', { name: 'Ada' }, { timeoutMs: 200 }).catch((reason: unknown) => {
      error = reason;
    });
    for (let turns = 0; turns < 30 && error === undefined; turns += 1) {
      await turn();
      standStill(300);
    }
    expect(error).toMatchObject({ code: 'TIMEOUT' });
  });
});

describe('serving', () => {
  it('shares the calls among the replicas of a service', async () => {
    const replica = await fixture.connect();
    const counts = [0, 0];
    bus.serve(greet, async () => ({ text: String((counts[0] as number)++) }));
    replica.serve(greet, async () => ({ text: String((counts[1] as number)++) }));
    await Promise.all([bus.connection.flush(), replica.connection.flush()]);
    await Promise.all(Array.from({ length: 200 }, () => bus.call(greet, 'acme', { name: 'Ada' })));
    expect((counts[0] as number) + (counts[1] as number)).toBe(200);
    expect(Math.min(...counts)).toBeGreaterThan(20);
  });

  it('refuses more calls than it may run at a time', async () => {
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    bus.serve(
      greet,
      async () => {
        await gate;
        return { text: '' };
      },
      { maxInFlight: 2 },
    );
    const refused: string[] = [];
    const calls = Array.from({ length: 5 }, () => bus.call(greet, 'acme', { name: 'Ada' }).catch((error: { code: string }) => refused.push(error.code)));
    await waitFor(() => refused.length === 3);
    release();
    await Promise.all(calls);
    expect(refused).toEqual(['QUEUE_FULL', 'QUEUE_FULL', 'QUEUE_FULL']);
  });

  it('finishes what it has begun when it stops, and takes nothing more', async () => {
    let release: () => void = () => {};
    const serving = bus.serve(
      greet,
      () =>
        new Promise((resolve) => {
          release = () => resolve({ text: 'finished' });
        }),
    );
    const call = bus.call(greet, 'acme', { name: 'Ada' });
    await waitFor(() => serving.stats.requests === 1);
    const stopped = serving.stop();
    setTimeout(release, 50);
    expect(await call).toEqual({ text: 'finished' });
    await stopped;
    expect(await failure(bus.call(greet, 'acme', { name: 'Ada' }))).toMatchObject({ code: 'NO_RESPONDERS' });
  });
});

describe('identity', () => {
  const tokens: Record<string, Principal> = {
    ada: { tenant: 'acme', user: 'ada', role: 'user', scopes: [], credentialId: 'c1' },
    mesh: { tenant: '_', role: 'service', scopes: [], credentialId: 'c2' },
    rogue: { tenant: '_', role: 'user', scopes: [], credentialId: 'c3' },
  };
  const identity: BusIdentity = {
    mint: async (principal) => (principal.user as string) ?? 'mesh',
    verify: async (token) => {
      const principal = tokens[token];
      if (!principal) throw plexusError('UNAUTHENTICATED');
      return principal;
    },
  };
  let server: Bus;
  let client: Bus;

  beforeEach(async () => {
    server = await fixture.connect({ identity, allowAnonymous: false, tenantExists: (tenant) => tenant === 'acme' });
    client = await fixture.connect({ identity, service: 'client' });
    server.serve(greet, async (_data, { principal }) => ({ text: principal.user ?? principal.role }));
    await server.connection.flush();
  });

  it('reaches the handler as the verified principal of the token', async () => {
    expect(await client.call(greet, 'acme', { name: 'x' }, { principal: tokens.ada as Principal })).toEqual({ text: 'ada' });
    expect(await client.call(greet, 'acme', { name: 'x' }, { token: 'ada' })).toEqual({ text: 'ada' });
  });

  it('is required: no token, or one that does not verify, is UNAUTHENTICATED', async () => {
    expect(await failure(client.call(greet, 'acme', { name: 'x' }))).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await failure(client.call(greet, 'acme', { name: 'x' }, { token: 'forged' }))).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('of one tenant never reaches another', async () => {
    expect(await failure(client.call(greet, 'globex', { name: 'x' }, { token: 'ada' }))).toMatchObject({ code: 'TENANT_MISMATCH' });
  });

  it('of a service without tenant may address every tenant; a user without tenant may not', async () => {
    expect(await client.call(greet, 'acme', { name: 'x' }, { token: 'mesh' })).toEqual({ text: 'service' });
    expect(await failure(client.call(greet, 'acme', { name: 'x' }, { token: 'rogue' }))).toMatchObject({ code: 'TENANT_MISMATCH' });
  });

  it('for a tenant that is not configured is UNKNOWN_TENANT', async () => {
    expect(await failure(client.call(greet, 'nobody', { name: 'x' }, { token: 'mesh' }))).toMatchObject({ code: 'UNKNOWN_TENANT' });
  });
});

describe('when the server is killed and comes back', () => {
  it('calls made meanwhile wait for the reconnect and succeed within their deadline', async () => {
    bus.serve(greet, answer('back'));
    await bus.connection.flush();
    const caller = await fixture.connect({ service: 'caller' });
    expect(await caller.call(greet, 'acme', { name: 'x' })).toEqual({ text: 'back' });
    await fixture.nats.kill('SIGKILL');
    await waitFor(() => !caller.isConnected() && !bus.isConnected());
    const call = caller.call(greet, 'acme', { name: 'x' }, { timeoutMs: 60_000 }).catch((error: unknown) => error);
    await fixture.nats.restart();
    // Whoever reconnects first may find nobody home yet: that is said at once, and the next call finds the service.
    const first = await call;
    if ((first as { code?: string }).code !== 'NO_RESPONDERS') expect(first).toEqual({ text: 'back' });
    await waitFor(async () => (await caller.call(greet, 'acme', { name: 'x' })).text === 'back');
  });

  it('calls in flight end with TIMEOUT, not in silence', async () => {
    bus.serve(greet, () => new Promise(() => {}));
    const call = failure(bus.call(greet, 'acme', { name: 'x' }, { timeoutMs: 600 }));
    await bus.connection.flush();
    await fixture.crash();
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
  });

  it('calls made while nothing comes back end with TIMEOUT', async () => {
    await fixture.nats.kill('SIGKILL');
    await waitFor(() => !bus.isConnected());
    expect(await failure(bus.call(greet, 'acme', { name: 'x' }, { timeoutMs: 200 }))).toMatchObject({ code: 'TIMEOUT' });
    await fixture.nats.restart();
    await waitFor(() => bus.isConnected());
  });
});

it('a server that cannot be reached is UNAVAILABLE after the given time', async () => {
  const { connectBus } = await import('../src/index.js');
  expect(await failure(connectBus({ service: 'test', servers: 'nats://127.0.0.1:1', connectTimeoutMs: 300 }))).toMatchObject({ code: 'UNAVAILABLE' });
});
