import { FakeClock } from '@plexus/kernel';
import fc from 'fast-check';
import type { SharedEvent } from './client-connection.js';
import { InboxFeed } from './inbox-feed.js';
import type { InboxReader } from './inbox-pace.js';
import { PageGate } from './page-gate.js';
import type { Log, Mesh } from './ports.js';

const LOG: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const PRINCIPAL = { tenant: 't', user: 'u', role: 'user' as const, scopes: ['operator.read'], credentialId: 'c' };

/** An inbox with `head` items, as its owner answers for it. */
class Inbox {
  head = 0;
  epoch = 'e1';
  away = false;
  fetches = 0;
  readonly mesh: Mesh = {
    call: async (_rpc: unknown, _tenant: string, input: unknown) => {
      this.fetches += 1;
      if (this.away) throw new Error('away');
      const { after = 0, limit } = input as { after?: number; limit: number };
      const items = Array.from({ length: Math.max(0, Math.min(limit, this.head - after)) }, (_, index) => item(after + index + 1));
      return { epoch: this.epoch, head: this.head, minOffset: 0, unread: 0, items } as never;
    },
  };
}

function item(offset: number) {
  return {
    ...{ offset, id: `d${offset}`, kind: 'notification' as const, priority: 'low' as const, title: 't', events: [], reasons: [], state: 'new' as const },
    createdAt: '2026-11-21T10:00:00Z',
  };
}

/** A client that lags when it is told to, as a socket does whose queue is full. */
class Client implements InboxReader {
  open = true;
  bufferedBytes = 0;
  keepsInbox = true;
  lagging = false;
  readonly offsets: number[] = [];
  closed: string | undefined;

  constructor(private readonly feed: InboxFeed) {}

  send({ event, payload, paced }: SharedEvent): boolean {
    if (event !== 'inbox.item' || (this.lagging && paced !== true)) return false;
    this.offsets.push((payload as { offset: number }).offset);
    return true;
  }

  fallBehind(): void {
    this.lagging = true;
    this.feed.lag(this);
  }

  caughtUp(): void {
    this.lagging = false;
  }

  close(code: number, reason: string): void {
    this.open = false;
    this.closed = `${code} ${reason}`;
  }
}

function world() {
  const clock = new FakeClock();
  const inbox = new Inbox();
  const gate = new PageGate(2);
  const feed = new InboxFeed('t', 'u', inbox.mesh, clock, gate, LOG);
  feed.headIs({ epoch: 'e1', offset: 0 });
  const client = new Client(feed);
  feed.join(client);
  const deliver = (count = 1) => {
    for (let index = 0; index < count; index += 1) {
      inbox.head += 1;
      feed.hint({ epoch: inbox.epoch, offset: inbox.head }, item(inbox.head));
    }
  };
  let calm: () => void = () => undefined;
  /** Everybody else is reading pages; whoever wants one waits. */
  const storm = () => {
    calm();
    const over = new Promise<void>((resolve) => {
      calm = resolve;
    });
    for (let place = 0; place < 2; place += 1) void gate.run(() => over);
  };
  return { clock, inbox, feed, client, deliver, storm, calm: () => calm() };
}

const upTo = (head: number, from = 1) => Array.from({ length: head - from + 1 }, (_, index) => from + index);

describe('a connection that is behind', () => {
  it('catches up from the inbox when it takes things again, and gets what is new live from there on', async () => {
    const { clock, feed, client, deliver } = world();
    deliver(3);
    client.bufferedBytes = 2_000_000;
    client.fallBehind();
    deliver(100);
    await clock.advance(1_000);
    expect(client.offsets).toEqual([1, 2, 3]);
    client.bufferedBytes = 0;
    await clock.advance(1_000);
    expect([client.offsets, client.lagging]).toEqual([upTo(103), false]);
    const other = new Client(feed);
    feed.join(other);
    deliver();
    expect([client.offsets.at(-1), other.offsets]).toEqual([104, [104]]);
    expect(clock.pending).toBe(0);
  });

  it('is sent items at the pace of its acks: never more than a window that it has not acknowledged', async () => {
    const { clock, feed, client, deliver } = world();
    client.fallBehind();
    deliver(1_000);
    await clock.advance(1_000);
    const first = client.offsets.length;
    expect(first).toBeGreaterThanOrEqual(200);
    expect(first).toBeLessThan(300);
    await clock.advance(30_000);
    expect(client.offsets).toHaveLength(first);
    feed.acked(client, 100);
    await clock.advance(1_000);
    expect(client.offsets.length).toBeGreaterThan(first);
    expect(client.offsets.length).toBeLessThan(400);
    while (client.lagging) {
      feed.acked(client, client.offsets.length);
      await clock.advance(100);
    }
    expect(client.offsets).toEqual(upTo(1_000));
  });

  it('is closed as a slow consumer after 60 s without progress, not while it acknowledges', async () => {
    const { clock, feed, client, deliver } = world();
    client.fallBehind();
    deliver(1_000);
    for (let turn = 1; turn <= 3; turn += 1) {
      await clock.advance(50_000);
      feed.acked(client, turn);
    }
    expect(client.closed).toBeUndefined();
    await clock.advance(61_000);
    expect(client.closed).toBe('1008 slow consumer');
    expect(clock.pending).toBe(0);
  });

  it('waits for an inbox that is away without being closed for it', async () => {
    const { clock, inbox, client, deliver } = world();
    inbox.away = true;
    client.fallBehind();
    deliver(5);
    await clock.advance(120_000);
    expect([client.offsets, client.closed]).toEqual([[], undefined]);
    inbox.away = false;
    await clock.advance(10_000);
    expect([client.offsets, client.lagging]).toEqual([upTo(5), false]);
  });

  it('G4: is waited for by nobody: others get every item at once, and its own memory does not grow', async () => {
    const { clock, inbox, feed, client, deliver } = world();
    const other = new Client(feed);
    feed.join(other);
    client.bufferedBytes = 2_000_000;
    client.fallBehind();
    for (let turn = 0; turn < 50; turn += 1) deliver(100);
    expect(other.offsets).toEqual(upTo(5_000));
    await clock.advance(59_000);
    expect([client.offsets, inbox.fetches, clock.pending]).toEqual([[], 0, 1]);
  });

  it('goes on with what is new when the inbox is rebuilt meanwhile', async () => {
    const { clock, inbox, client, deliver } = world();
    deliver(10);
    client.bufferedBytes = 2_000_000;
    client.fallBehind();
    inbox.epoch = 'e2';
    inbox.head = 2;
    deliver();
    client.bufferedBytes = 0;
    await clock.advance(1_000);
    deliver();
    expect([client.offsets.slice(10), client.lagging]).toEqual([[4], false]);
  });

  it('leaves nothing behind when it goes', async () => {
    const { clock, feed, client, deliver } = world();
    client.fallBehind();
    deliver(1_000);
    await clock.advance(1_000);
    client.open = false;
    feed.leave(client);
    await clock.advance(1_000);
    expect(clock.pending).toBe(0);
  });

  it('G2: gets an item that came while it resumed, also when the page that it was given was read before and nothing comes behind it', async () => {
    const { clock, feed, client, deliver } = world();
    const resuming = feed.resume(client, PRINCIPAL, { epoch: 'e1', offset: 0 }, new AbortController().signal);
    deliver();
    const { recovered, head } = await resuming;
    await clock.advance(1_000);
    expect([recovered, head <= 1, client.offsets, clock.pending]).toEqual([true, true, [1], 0]);
  });

  it('is found by the comparison of heads when it did not take the last item', async () => {
    const { clock, feed, client, deliver } = world();
    client.lagging = true;
    deliver();
    client.lagging = false;
    feed.headIs({ epoch: 'e1', offset: 1 });
    await clock.advance(1_000);
    expect(client.offsets).toEqual([1]);
  });

  it('G1: property: sees every offset once and in order, whenever it falls behind, stalls, acknowledges, resumes or loses hints', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('deliver' as const), count: fc.nat({ max: 300 }) }),
      fc.record({ kind: fc.constant('lose' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({
        kind: fc.constantFrom('behind' as const, 'stall' as const, 'drain' as const, 'ack' as const, 'resume' as const, 'storm' as const, 'calm' as const),
        count: fc.constant(0),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { clock, inbox, feed, client, deliver, storm, calm } = world();
        const resumes: Promise<unknown>[] = [];
        for (const { kind, count } of steps) {
          if (kind === 'deliver') deliver(count);
          else if (kind === 'lose') inbox.head += count;
          else if (kind === 'behind') client.fallBehind();
          else if (kind === 'stall') client.bufferedBytes = 300_000;
          else if (kind === 'drain') client.bufferedBytes = 0;
          else if (kind === 'storm') storm();
          else if (kind === 'calm') calm();
          else if (kind === 'ack') feed.acked(client, client.offsets.length);
          else {
            const resuming = feed.resume(client, PRINCIPAL, { epoch: 'e1', offset: client.offsets.length }, new AbortController().signal);
            // One that waits for its turn is superseded by the next.
            resumes.push(resuming.catch((error: { code: string }) => expect(error.code).toBe('CONFLICT')));
          }
          await clock.advance(10);
          expect(client.offsets).toEqual(upTo(client.offsets.length));
        }
        client.bufferedBytes = 0;
        calm();
        deliver();
        for (let turn = 0; turn < 200 && client.offsets.length < inbox.head; turn += 1) {
          feed.acked(client, client.offsets.length);
          await clock.advance(100);
        }
        await Promise.all(resumes);
        expect([client.offsets, client.closed]).toEqual([upTo(inbox.head), undefined]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a client that comes back when everybody does', () => {
  async function known() {
    const here = world();
    // Somebody has read the inbox, so that what is unread is known.
    await here.feed.resume(here.client, PRINCIPAL, { epoch: 'e1', offset: 0 }, new AbortController().signal);
    here.deliver(10);
    here.storm();
    const back = new Client(here.feed);
    const resume = (offset: number, epoch = 'e1') => here.feed.resume(back, PRINCIPAL, { epoch, offset }, new AbortController().signal);
    const waits = async (resuming: Promise<unknown>) => {
      let answered = false;
      void resuming.then(() => {
        answered = true;
      });
      await here.clock.advance(1_000);
      expect(answered).toBe(false);
      here.calm();
      return resuming;
    };
    return { ...here, back, resume, waits };
  }

  it('gets what it missed from memory, without waiting for its turn, and then what is new', async () => {
    const { inbox, back, resume, deliver } = await known();
    const before = inbox.fetches;
    expect(await resume(7)).toEqual({ recovered: true, count: 3, head: 10, cursor: 'e1:10', unread: 10 });
    deliver();
    expect([back.offsets, inbox.fetches]).toEqual([[8, 9, 10, 11], before]);
    expect(await resume(11)).toEqual({ recovered: true, count: 0, head: 11, cursor: 'e1:11', unread: 11 });
  });

  it('reads the inbox as ever when it is calm: only that finds a hint that was lost at once', async () => {
    const { inbox, back, resume, calm, clock } = await known();
    calm();
    await clock.advance(1);
    inbox.head += 1;
    expect(await resume(10)).toMatchObject({ recovered: true, count: 1, head: 11 });
    expect(back.offsets).toEqual([11]);
  });

  it.each<[string, (here: Awaited<ReturnType<typeof known>>) => Promise<unknown>]>([
    ['of another epoch', ({ resume }) => resume(7, 'e0')],
    ['ahead of the inbox', ({ resume }) => resume(11)],
    [
      'whose items have changed since',
      ({ resume, feed }) => {
        feed.changed({ epoch: 'e1', unread: 4, changes: [], more: false });
        return resume(7);
      },
    ],
  ])('waits for its turn with a cursor %s', async (_title, act) => {
    const here = await known();
    await here.waits(act(here));
  });

  it('waits for its turn when it was away for longer than a minute', async () => {
    const { clock, resume, waits } = await known();
    await clock.advance(60_000);
    await waits(resume(7));
  });

  it('is brought up to date once when it asks twice: the newer resume takes the place of the one that waits', async () => {
    const { inbox, feed, client, storm, calm, clock } = world();
    inbox.head = 3;
    storm();
    const resume = () => feed.resume(client, PRINCIPAL, { epoch: 'e1', offset: 0 }, new AbortController().signal);
    const [older, newer] = [resume().catch((error: { code: string }) => error.code), resume()];
    await clock.advance(10);
    calm();
    expect(await older).toBe('CONFLICT');
    expect(await newer).toMatchObject({ recovered: true, count: 3 });
    expect(client.offsets).toEqual([1, 2, 3]);
  });

  it('is told what is unread as it was told last', async () => {
    const { feed, resume } = await known();
    feed.changed({ epoch: 'e1', unread: 4, changes: [], more: false });
    expect(await resume(10)).toMatchObject({ recovered: true, count: 0, unread: 4 });
  });
});

describe('an inbox that was set back (its database was restored), under the same epoch', () => {
  const resumed = async (here: ReturnType<typeof world>, offset: number) => {
    const answer = here.feed.resume(here.client, PRINCIPAL, { epoch: 'e1', offset }, new AbortController().signal);
    await here.clock.advance(1_000);
    return answer;
  };

  it('tells who comes with a cursor ahead of it once, and goes on from its end: the next resume is recovered, and new items are live', async () => {
    const here = world();
    here.deliver(10);
    here.inbox.head = 5;
    expect(await resumed(here, 10)).toMatchObject({ recovered: false, head: 5, cursor: 'e1:5' });
    expect(here.feed.head).toBe(5);
    expect(await resumed(here, 5)).toMatchObject({ recovered: true, count: 0, head: 5, cursor: 'e1:5' });
    here.client.offsets.length = 0;
    here.deliver(3);
    expect(here.client.offsets).toEqual([6, 7, 8]);
    expect(here.clock.pending).toBe(0);
  });

  it('is noticed by two comparisons of heads; who was connected goes on from there, and nobody asks again and again', async () => {
    const here = world();
    here.deliver(10);
    here.inbox.head = 5;
    here.feed.headIs({ epoch: 'e1', offset: 5 });
    // One may have been overtaken by an item.
    expect(here.feed.head).toBe(10);
    here.inbox.head = 7;
    here.feed.headIs({ epoch: 'e1', offset: 7 });
    await here.clock.advance(1_000);
    expect(here.feed.head).toBe(7);
    here.client.offsets.length = 0;
    here.deliver(2);
    expect(here.client.offsets).toEqual([8, 9]);
    const { fetches } = here.inbox;
    await here.clock.advance(60_000);
    expect(here.inbox.fetches).toBe(fetches);
    expect(here.clock.pending).toBe(0);
  });

  it('is not believed of two comparisons that an item has overtaken, however late their answers come', async () => {
    const here = world();
    here.deliver(10);
    const askedAt = here.clock.monotonic();
    await here.clock.advance(100);
    here.deliver(1);
    await here.clock.advance(100);
    here.feed.headIs({ epoch: 'e1', offset: 10 }, askedAt);
    await here.clock.advance(100);
    here.feed.headIs({ epoch: 'e1', offset: 10 }, askedAt + 50);
    expect(here.feed.head).toBe(11);
    // The next one was asked behind the first that raised the doubt.
    here.feed.headIs({ epoch: 'e1', offset: 10 });
    expect(here.feed.head).toBe(10);
  });

  it('is not believed of an inbox that an item has overtaken', async () => {
    const here = world();
    here.deliver(10);
    here.feed.headIs({ epoch: 'e1', offset: 9 });
    here.deliver(1);
    here.feed.headIs({ epoch: 'e1', offset: 10 });
    expect(here.feed.head).toBe(11);
    here.feed.headIs({ epoch: 'e1', offset: 11 });
    here.feed.headIs({ epoch: 'e1', offset: 10 });
    expect(here.feed.head).toBe(11);
  });
});
