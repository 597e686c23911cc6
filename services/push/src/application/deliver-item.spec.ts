import { FakeClock } from '@plexus/kernel';
import type { AttemptRecord, ItemMarks } from '../domain/delivery/next-step.js';
import type { ChannelMessage, ChannelName, ChannelTarget, SendOutcome } from './channel-provider.js';
import { type ArrivedCommand, DeliverItem } from './deliver-item.js';
import type { AttemptBook, ChannelLimits, CommandKey } from './delivery-ports.js';

const T0 = Date.UTC(2026, 10, 21, 10);
const iso = (ms: number) => new Date(ms).toISOString();

/** Attempts as the database keeps them. */
class Book implements AttemptBook {
  readonly rows: (AttemptRecord & { leaseUntil: number; channel: string; deliveryId: string })[] = [];
  failEnds = 0;
  constructor(private readonly clock: FakeClock) {}
  private of({ channel, deliveryId }: CommandKey) {
    return this.rows.filter((row) => row.channel === channel && row.deliveryId === deliveryId);
  }
  async history(key: CommandKey) {
    return this.of(key).map((row) => ({ ...row, leaseMs: row.leaseUntil - this.clock.now() }));
  }
  async claim(key: CommandKey, { contact, n, commandSeq, leaseMs, lapsed }: Parameters<AttemptBook['claim']>[1]) {
    if (this.of(key).some((row) => row.contact === contact && row.n === n)) return false;
    const old = this.of(key).find((row) => row.contact === contact && row.n === lapsed);
    if (old) Object.assign(old, { status: 'failed', error: 'interrupted' });
    this.rows.push({ ...key, contact, n, status: 'sending', commandSeq, leaseMs, leaseUntil: this.clock.now() + leaseMs });
    return true;
  }
  async end(key: CommandKey, { contact, n }: { contact: string; n: number }, status: AttemptRecord['status'], error?: string) {
    if (this.failEnds > 0) {
      this.failEnds -= 1;
      throw Object.assign(new Error('away'), { code: 'ECONNRESET' });
    }
    Object.assign(this.of(key).find((row) => row.contact === contact && row.n === n) ?? {}, { status, error });
  }
  async skip(key: CommandKey, commandSeq: number, reason: string) {
    if (this.of(key).some(({ status }) => status === 'skipped')) return;
    this.rows.push({ ...key, contact: '', n: 1, status: 'skipped', error: reason, commandSeq, leaseMs: 0, leaseUntil: 0 });
  }
  get short() {
    return this.rows.map(({ contact, n, status, error }) => [contact, n, status, ...(error === undefined ? [] : [error])].join(' '));
  }
}

class World {
  readonly clock = new FakeClock(T0);
  readonly book = new Book(this.clock);
  readonly calls: { id: string; target: string | undefined; at: number }[] = [];
  readonly told: ChannelMessage[] = [];
  readonly retired: string[] = [];
  answers: (SendOutcome | 'hang' | 'crash')[] = [];
  answer: SendOutcome = { kind: 'sent' };
  contacts: ChannelTarget[] = [contact('c1')];
  marks: ItemMarks | undefined = { seen: false, acknowledged: false, forbidden: [] };
  limits: ChannelLimits = { perMinute: 6_000, concurrent: 8, timeoutMs: 10_000, maxAttempts: 4 };
  random = 0.5;
  readonly deliver = this.replica();

  replica(): DeliverItem {
    return new DeliverItem({
      providers: (['session', 'webhook', 'email'] as ChannelName[]).map((channel) => ({
        channel,
        endpointOf: (_message, target) => target?.address ?? 'routing',
        send: async (message, target, { signal }) => {
          this.told.push(message);
          this.calls.push({ id: message.id, target: target?.id, at: this.clock.now() - T0 });
          const answer = this.answers.shift() ?? this.answer;
          if (answer === 'crash') throw new Error('the process died here');
          if (answer === 'hang') return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
          return answer;
        },
      })),
      attempts: this.book,
      items: { marksOf: async () => this.marks },
      contacts: {
        reachable: async () => this.contacts.filter(({ id }) => !this.retired.includes(id)),
        retire: async (_tenant, id) => void this.retired.push(id),
      },
      limitsOf: () => this.limits,
      clock: this.clock,
      random: () => this.random,
    });
  }

  command(rest: Record<string, unknown> = {}, seq = 1, tenant = 'acme'): ArrivedCommand {
    const { item, ...command } = rest;
    return {
      tenant,
      seq,
      storedAt: T0,
      signal: new AbortController().signal,
      command: {
        user: 'me',
        deliveryId: 'dlv_1',
        channel: 'webhook',
        level: 0,
        priority: 'P1',
        decidedAt: iso(T0),
        item: {
          offset: 1,
          id: 'dlv_1',
          kind: 'notification',
          priority: 'high',
          title: 'Import finished',
          events: [],
          reasons: [],
          state: 'new',
          createdAt: iso(T0),
          ...(item as object),
        },
        ...command,
      },
    };
  }
}

function contact(id: string, address = `https://${id}.example/`): ChannelTarget {
  return { id, address, details: {} };
}

function event(id: string, summary: string) {
  return { id, source: '/plant', type: 'pump.stopped', subject: 'pump', time: iso(T0), summary };
}

const later: SendOutcome = { kind: 'retry', error: 'http_503', endpointFault: false };

describe('a delivery over a channel', () => {
  let world: World;
  const run = (rest?: Record<string, unknown>, seq?: number, tenant?: string) => world.deliver.execute(world.command(rest, seq, tenant));
  beforeEach(() => {
    world = new World();
  });

  it('goes to every contact once, and a repeat of the command to nobody', async () => {
    world.contacts = [contact('c1'), contact('c2')];
    expect(await run()).toEqual({ kind: 'done' });
    expect(await run()).toEqual({ kind: 'done' });
    expect(await run({}, 7)).toEqual({ kind: 'done' });
    expect(world.calls.map(({ target }) => target)).toEqual(['c1', 'c2']);
  });

  it('is another one for each level, and the id that receivers compare says so', async () => {
    await run();
    world.book.rows.length = 0;
    await run({ level: 2 });
    expect(world.calls.map(({ id }) => id)).toEqual(['dlv_1', 'dlv_1:2']);
  });

  it('that failed for now is tried again with growing full jitter, obeys Retry-After, and ends as a dead letter', async () => {
    world.answers = [later, { ...later, afterMs: 5_000 }, later, later];
    expect(await run()).toEqual({ kind: 'retry', afterMs: 500, reason: 'http_503' });
    expect(await run()).toEqual({ kind: 'retry', afterMs: 6_000, reason: 'http_503' });
    expect(await run()).toEqual({ kind: 'retry', afterMs: 2_000, reason: 'http_503' });
    expect(await run()).toEqual({ kind: 'park', code: 'DELIVERY_FAILED', reason: 'webhook: http_503, after 4 attempts' });
    expect(world.book.short).toEqual(['c1 1 failed http_503', 'c1 2 failed http_503', 'c1 3 failed http_503', 'c1 4 parked http_503']);
    // A crash before the letter was parked: parked again, nothing sent.
    expect(await run()).toMatchObject({ kind: 'park' });
    expect(world.calls).toHaveLength(4);
  });

  it('that was redriven begins with new attempts, and sends only to those who have not got it', async () => {
    world.contacts = [contact('c1'), contact('c2')];
    world.answers = [{ kind: 'refused', error: 'http_400' }, { kind: 'sent' }];
    expect(await run()).toEqual({ kind: 'park', code: 'DELIVERY_FAILED', reason: 'webhook: http_400' });
    expect(await run({}, 2)).toEqual({ kind: 'done' });
    expect(world.calls.map(({ target }) => target)).toEqual(['c1', 'c2', 'c1']);
    expect(world.book.short).toEqual(['c1 1 parked http_400', 'c2 1 sent', 'c1 2 sent']);
  });

  it('of several contacts is parked only when none can be reached any more', async () => {
    world.contacts = [contact('c1'), contact('c2')];
    world.answers = [{ kind: 'refused', error: 'http_400' }, later, { kind: 'sent' }];
    expect(await run()).toMatchObject({ kind: 'retry', reason: 'http_503' });
    expect(await run()).toMatchObject({ kind: 'park', reason: 'webhook: http_400' });
    expect(world.calls.map(({ target }) => target)).toEqual(['c1', 'c2', 'c2']);
  });

  it('to an address that is gone retires the contact', async () => {
    world.answers = [{ kind: 'gone', error: 'http_410' }];
    expect(await run()).toEqual({ kind: 'done' });
    expect(world.retired).toEqual(['c1']);
    expect(await run({ deliveryId: 'dlv_2' })).toEqual({ kind: 'done' });
    expect(world.calls).toHaveLength(1);
    expect(world.book.short).toEqual(['c1 1 failed http_410', ' 1 skipped no_contact']);
  });

  it('that hangs is given up after its timeout and counts against the other side', async () => {
    world.answers = ['hang'];
    const running = run();
    await world.clock.advance(10_000);
    expect(await running).toEqual({ kind: 'retry', afterMs: 500, reason: 'timeout' });
  });

  it('of a channel that nobody has, or without a verified contact, is skipped and says why', async () => {
    await run({ channel: 'pigeon' });
    world.contacts = [];
    await run({ channel: 'email' });
    expect(world.calls).toEqual([]);
    expect(world.book.rows.map(({ error }) => error)).toEqual(['unknown_channel', 'no_contact']);
  });

  it('needs no contact for the session', async () => {
    world.contacts = [];
    expect(await run({ channel: 'session' })).toEqual({ kind: 'done' });
    expect(world.calls).toHaveLength(1);
    expect(world.book.short).toEqual([' 1 sent']);
  });

  it('tells nothing of those of its events that its user may not see any more', async () => {
    world.marks = { seen: false, acknowledged: false, forbidden: [0, 2] };
    const events = [event('a', 'Pump A'), event('b', 'Pump B'), event('c', 'Pump C')];
    expect(await run({ item: { kind: 'digest', title: '3 events: Pump A', events } })).toEqual({ kind: 'done' });
    expect(world.told).toMatchObject([{ title: 'Pump B', data: { item: { title: 'Pump B', events: [{ id: 'b' }] } } }]);
    expect(JSON.stringify(world.told)).not.toMatch(/Pump [AC]/);
  });

  describe('is not sent', () => {
    it('late', async () => {
      world.answers = [later];
      world.marks = { seen: false, acknowledged: false, forbidden: [], expiresAt: T0 + 1_000 };
      expect(await run()).toMatchObject({ kind: 'retry' });
      await world.clock.advance(1_000);
      expect(await run()).toEqual({ kind: 'done' });
      expect(world.calls).toHaveLength(1);
      expect(world.book.short.at(-1)).toBe(' 1 skipped expired');
    });

    it('when its user may see nothing of it any more, also after it was tried', async () => {
      world.answers = [later];
      const item = { events: [event('a', 'Pump A')] };
      expect(await run({ item })).toMatchObject({ kind: 'retry' });
      world.marks = { seen: false, acknowledged: false, forbidden: [0] };
      expect(await run({ item })).toEqual({ kind: 'done' });
      expect(world.calls).toHaveLength(1);
      expect(world.book.short.at(-1)).toBe(' 1 skipped not_authorized');
    });

    it.each([
      ['as a follow-up of what was seen', { decidedAt: iso(T0 + 120_000) }, { seen: true, acknowledged: false }, 'seen'],
      ['as a follow-up of what was acknowledged', { decidedAt: iso(T0 + 120_000) }, { seen: false, acknowledged: true }, 'acknowledged'],
      ['as an escalation of what was acknowledged', { item: { kind: 'escalation' } }, { seen: false, acknowledged: true }, 'acknowledged'],
    ])('%s', async (_what, rest, marks, reason) => {
      world.marks = { ...marks, forbidden: [] };
      expect(await run(rest)).toEqual({ kind: 'done' });
      expect(world.calls).toEqual([]);
      expect(world.book.short).toEqual([` 1 skipped ${reason}`]);
    });

    it('when its person was erased, and then nothing is written down either', async () => {
      world.marks = undefined;
      expect(await run()).toEqual({ kind: 'done' });
      expect(world.book.rows).toEqual([]);
    });
  });

  it('that goes out at once does so even when somebody was quick to look', async () => {
    world.marks = { seen: true, acknowledged: true, forbidden: [] };
    await run();
    expect(world.calls).toHaveLength(1);
  });

  it('stops between two attempts when its item was seen meanwhile', async () => {
    world.answers = [later];
    const followUp = { decidedAt: iso(T0 + 60_000) };
    expect(await run(followUp)).toMatchObject({ kind: 'retry' });
    world.marks = { seen: true, acknowledged: false, forbidden: [] };
    expect(await run(followUp)).toEqual({ kind: 'done' });
    expect(world.calls).toHaveLength(1);
  });

  it('repeats after a crash only what was under way, once nobody can be sending it any more', async () => {
    world.contacts = [contact('c1'), contact('c2')];
    world.answers = [{ kind: 'sent' }, 'crash'];
    await expect(run()).rejects.toThrow('died');
    const other = world.replica();
    expect(await other.execute(world.command())).toEqual({ kind: 'retry', afterMs: 15_000, reason: 'under way elsewhere' });
    await world.clock.advance(15_000);
    expect(await other.execute(world.command())).toEqual({ kind: 'done' });
    expect(world.calls.map(({ target }) => target)).toEqual(['c1', 'c2', 'c2']);
    expect(world.book.short).toEqual(['c1 1 sent', 'c2 1 failed interrupted', 'c2 2 sent']);
  });

  it('that crashes every time is given up like one that is refused every time', async () => {
    world.answers = Array.from({ length: 9 }, () => 'crash' as const);
    for (let n = 0; n < 4; n += 1) {
      await expect(run()).rejects.toThrow('died');
      await world.clock.advance(15_000);
    }
    expect(await run()).toEqual({ kind: 'park', code: 'DELIVERY_FAILED', reason: 'webhook: interrupted' });
    expect(world.calls).toHaveLength(4);
  });

  it('is not sent by two replicas at once', async () => {
    const outcomes = await Promise.all([run(), world.replica().execute(world.command())]);
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['done', 'retry']);
    expect(world.calls).toHaveLength(1);
  });

  it('that was sent is written down although the database is away for a moment', async () => {
    world.book.failEnds = 3;
    const running = run();
    await world.clock.advance(5_000);
    expect(await running).toEqual({ kind: 'done' });
    expect(world.book.short).toEqual(['c1 1 sent']);
  });

  it('that cannot be sent within the day of its stream becomes a dead letter instead of vanishing', async () => {
    world.answer = { ...later, endpointFault: true };
    await world.clock.advance(23 * 60 * 60_000);
    expect(await run()).toMatchObject({ kind: 'park', code: 'DELIVERY_EXHAUSTED' });
  });

  it('ends the attempt as unknown when the service stops meanwhile', async () => {
    world.answers = ['hang'];
    const stopping = new AbortController();
    const running = world.deliver.execute({ ...world.command(), signal: stopping.signal });
    await world.clock.advance(1);
    stopping.abort();
    expect(await running).toMatchObject({ kind: 'retry', reason: 'the service is stopping' });
    expect(world.book.short).toEqual(['c1 1 sending']);
  });

  describe('with a breaker for what fails together', () => {
    const broken: SendOutcome = { kind: 'retry', error: 'econnrefused', endpointFault: true };
    const fail = async (count: number) => {
      for (let n = 0; n < count; n += 1) await run({ deliveryId: `dlv_${n}` });
    };

    it('tries nothing while it is open, counts nothing, lets one probe through, and goes on when that succeeds', async () => {
      world.answer = broken;
      await fail(5);
      expect(world.calls).toHaveLength(5);
      expect(await run({ deliveryId: 'dlv_a' })).toEqual({ kind: 'retry', afterMs: 45_000, reason: 'held back by its breaker' });
      expect(world.calls).toHaveLength(5);
      expect(world.book.rows.some(({ deliveryId }) => deliveryId === 'dlv_a')).toBe(false);
      await world.clock.advance(30_000);
      world.answers = ['hang'];
      const probe = run({ deliveryId: 'dlv_a' });
      await world.clock.advance(1);
      expect(await run({ deliveryId: 'dlv_b' })).toMatchObject({ reason: 'held back by its breaker' });
      world.answer = { kind: 'sent' };
      await world.clock.advance(10_000);
      expect(await probe).toMatchObject({ reason: 'timeout' });
      await world.clock.advance(30_000);
      expect(await run({ deliveryId: 'dlv_a' })).toEqual({ kind: 'done' });
      expect(await run({ deliveryId: 'dlv_b' })).toEqual({ kind: 'done' });
    });

    it('leaves other addresses and other tenants alone', async () => {
      world.answer = broken;
      await fail(5);
      world.answer = { kind: 'sent' };
      expect(await run({ deliveryId: 'dlv_x' }, 1, 'other')).toEqual({ kind: 'done' });
      world.contacts = [contact('c9')];
      expect(await run({ deliveryId: 'dlv_y' })).toEqual({ kind: 'done' });
    });

    it('takes nothing from the budget of other addresses while it is open', async () => {
      world.limits = { ...world.limits, perMinute: 60 };
      world.answer = broken;
      await fail(5);
      for (let n = 0; n < 50; n += 1) expect(await run({ deliveryId: `dlv_w${n}` })).toMatchObject({ reason: 'held back by its breaker' });
      world.answer = { kind: 'sent' };
      world.contacts = [contact('c9')];
      expect(await run({ deliveryId: 'dlv_y' })).toEqual({ kind: 'done' });
    });

    it('does not open for messages that are refused one by one', async () => {
      world.answer = { kind: 'refused', error: 'http_422' };
      await fail(20);
      expect(world.calls).toHaveLength(20);
    });
  });

  it('waits for its budget without using up an attempt, and one tenant does not wait for another', async () => {
    world.limits = { ...world.limits, perMinute: 6 };
    expect(await run({ deliveryId: 'dlv_a' })).toEqual({ kind: 'done' });
    expect(await run({ deliveryId: 'dlv_b' })).toEqual({ kind: 'retry', afterMs: 10_125, reason: 'held back by its budget' });
    expect(await run({ deliveryId: 'dlv_c' })).toMatchObject({ afterMs: 20_125 });
    expect(await run({ deliveryId: 'dlv_a' }, 1, 'other')).toEqual({ kind: 'done' });
    await world.clock.advance(10_000);
    expect(await run({ deliveryId: 'dlv_b' })).toEqual({ kind: 'done' });
    expect(world.book.rows).toHaveLength(2);
  });

  it('sends no more at the same time than allowed', async () => {
    world.limits = { ...world.limits, concurrent: 2 };
    world.answers = ['hang', 'hang'];
    const running = [run({ deliveryId: 'dlv_a' }), run({ deliveryId: 'dlv_b' })];
    await world.clock.advance(1);
    expect(await run({ deliveryId: 'dlv_c' })).toMatchObject({ kind: 'retry', reason: 'held back by its budget' });
    await world.clock.advance(10_000);
    await Promise.all(running);
    expect(await run({ deliveryId: 'dlv_c' })).toEqual({ kind: 'done' });
  });
});
