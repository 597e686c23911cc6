import { plexusError } from '@plexus/contracts';
import { FakeClock } from '@plexus/kernel';
import type { Account } from './account.js';
import { type ChannelAdapter, ChannelError, type OutgoingPart } from './channel-adapter.js';
import { ChatLanes } from './chat-lanes.js';
import { SendLedger } from './send-ledger.js';
import { SendMessages } from './send-messages.js';

const adapter = { adapter: 'test', textLimit: 5, attachments: 'links', sharedGroups: true } as unknown as ChannelAdapter;
const send = { sendId: 's1', attempt: 1, account: 'main', to: 'c1', text: 'one two six' };

function setUp(platform: (part: OutgoingPart) => Promise<{ messageId?: string }>) {
  const clock = new FakeClock();
  const stored = new Map<string, unknown>();
  const failing = { writes: 0, outcomes: 0 };
  const bucket = {
    get: async (key: string) => (stored.has(key) ? { json: () => stored.get(key) } : undefined),
    put: async (key: string, value: unknown) => {
      if (failing.writes-- > 0) throw plexusError('UNAVAILABLE');
      stored.set(key, JSON.parse(JSON.stringify(value)));
      return 1;
    },
  };
  const outcomes: unknown[] = [];
  const tell = async (_tenant: string, outcome: object) => {
    if (failing.outcomes-- > 0) throw plexusError('TIMEOUT');
    outcomes.push(outcome);
  };
  const account = {
    lanes: new ChatLanes(2, 2),
    rate: { turn: async () => 0, pause: () => {} },
    signal: new AbortController().signal,
    state: { state: 'up' },
    connection: { send: platform, close: () => {} },
    firstResult: async () => {},
  } as unknown as Account;
  const quiet = { warn: () => {}, debug: () => {} } as never;
  const start = () => {
    const ledger = new SendLedger(bucket as never, 'channel-test');
    return new SendMessages({ adapter, accounts: { get: () => account }, ledger, gate: { succeeded: tell, failed: tell }, clock, log: quiet });
  };
  return {
    start,
    outcomes,
    failing,
    account,
    handle: (sender: SendMessages, more = {}) => sender.handle({ tenant: 'acme', attempt: 1, data: { ...send, ...more } }),
  };
}

describe('a send command', () => {
  it('whose result cannot be stored is kept and not sent again', async () => {
    const parts: string[] = [];
    const { start, outcomes, failing, handle } = setUp(async ({ text }) => {
      parts.push(text);
      return { messageId: `m-${text}` };
    });
    const sender = start();
    failing.writes = 1;
    expect(await handle(sender)).toMatchObject({ kind: 'retry' });
    failing.writes = 1;
    expect(await handle(sender)).toMatchObject({ kind: 'retry' });
    failing.outcomes = 1;
    expect(await handle(sender)).toMatchObject({ kind: 'retry' });
    expect(await handle(sender)).toEqual({ kind: 'done' });
    expect(parts).toEqual(['one', 'two', 'six']);
    expect(outcomes).toEqual([{ sendId: 's1', account: 'main', attempt: 1, messageId: 'm-one' }]);
  });

  it('goes on behind the last noted part in the process that comes after', async () => {
    const parts: string[] = [];
    let broken = true;
    const { start, handle, outcomes } = setUp(async ({ text }) => {
      if (text === 'six' && broken) throw new ChannelError({ message: 'no', code: '500', status: 500 });
      parts.push(text);
      return {};
    });
    await handle(start());
    broken = false;
    await handle(start(), { attempt: 2 });
    await handle(start(), { attempt: 1 });
    expect(parts).toEqual(['one', 'two', 'six']);
    expect(outcomes).toEqual([
      { sendId: 's1', account: 'main', attempt: 1, error: { message: 'no', code: '500', status: 500 } },
      { sendId: 's1', account: 'main', attempt: 2 },
      { sendId: 's1', account: 'main', attempt: 1, error: { message: 'no', code: '500', status: 500 } },
    ]);
  });

  it.each([
    ['group', ['one', 'two', 'six']],
    ['channel', ['one', 'two', 'six']],
    ['dm', ['one', 'two', 'one', 'two', 'six']],
    [undefined, ['one', 'two', 'one', 'two', 'six']],
  ])('taken over by another account in the middle goes on where a chat is the same place for both: %s', async (chatKind, expected) => {
    const parts: string[] = [];
    let broken = true;
    const { start, handle, outcomes } = setUp(async ({ text }) => {
      if (text === 'six' && broken) throw new ChannelError({ message: 'no', code: '500', status: 500 });
      parts.push(text);
      return { messageId: text };
    });
    const sender = start();
    await handle(sender, { chatKind });
    broken = false;
    await handle(sender, { chatKind, account: 'spare', attempt: 2 });
    await handle(sender, { chatKind, account: 'spare', attempt: 2 });
    expect(parts).toEqual(expected);
    expect(outcomes.slice(1)).toEqual([1, 2].map(() => ({ sendId: 's1', account: 'spare', attempt: 2, messageId: 'one' })));
  });

  it('that two accounts work on at once is sent once to a group', async () => {
    const parts: string[] = [];
    const { start, handle } = setUp(async ({ text }) => {
      parts.push(text);
      return {};
    });
    const sender = start();
    await Promise.all([handle(sender, { chatKind: 'group' }), handle(sender, { chatKind: 'group', account: 'spare', attempt: 2 })]);
    expect(parts).toEqual(['one', 'two', 'six']);
  });

  it('delivered twice at once is sent once', async () => {
    let calls = 0;
    const { start, handle } = setUp(async () => {
      calls += 1;
      return {};
    });
    const sender = start();
    await Promise.all([handle(sender, { text: 'x' }), handle(sender, { text: 'x' }), handle(sender, { text: 'x', attempt: 2 })]);
    expect(calls).toBe(1);
  });

  it('waits in the queue while the account has enough to do', async () => {
    const { start, handle, account } = setUp(async () => ({}));
    const hold = [1, 2, 3, 4].map((n) => account.lanes.run(`chat-${n}`, () => new Promise<void>((resolve) => setImmediate(resolve))));
    expect(await handle(start())).toMatchObject({ kind: 'retry' });
    await Promise.all(hold);
    expect(await handle(start())).toEqual({ kind: 'done' });
  });
});
