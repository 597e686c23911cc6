import { InjectMessages } from './inject-messages.js';
import { ManageSessions } from './manage-sessions.js';

const owner = { tenant: 'acme', owner: 'ada' };

/** A store that says which incarnation each message came to; its transactions end when the test says so. */
function steered() {
  const appended: [sessionId: string, text: string][] = [];
  const waiting: (() => void)[] = [];
  let sessionId: string | undefined = 'first';
  const tx = {
    lockSession: async () => sessionId && { sessionId },
    openRuns: async () => [],
    appendMessages: async (session: { sessionId: string }, drafts: { text: string }[]) => {
      for (const { text } of drafts) appended.push([session.sessionId, text]);
      return [];
    },
    renewSession: async (_: unknown, next: string) => {
      sessionId = next;
      return { sessionId };
    },
    deleteSession: async () => {
      sessionId = undefined;
    },
    publish: async () => undefined,
  };
  const store = {
    async transaction<T>(work: (given: never) => Promise<T>): Promise<T> {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return work(tx as never);
    },
  };
  let ids = 0;
  const newId = () => `id-${++ids}`;
  const injecting = new InjectMessages(store as never, newId);
  const sessions = new ManageSessions(store as never, newId, (one, key, work) => injecting.inTurn(one, key, work));
  const inject = (text: string) => injecting.execute(owner, 'main', { text });
  /** Ends transactions, the last that began first, until nothing waits any more. */
  const settle = async () => {
    for (let turn = 0; turn < 10; turn += 1) {
      waiting.pop()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { appended, sessions, inject, settle };
}

describe('a session that is reset or deleted', () => {
  it('has every message that came before in the conversation that is over, and every later one in the new one', async () => {
    const { appended, sessions, inject, settle } = steered();
    const before = [inject('one'), inject('two')];
    const reset = sessions.reset(owner, 'main');
    const after = inject('three');
    await settle();
    await Promise.all([...before, reset, after]);
    const { sessionId } = (await reset).session;
    expect(appended).toEqual([
      ['first', 'one'],
      ['first', 'two'],
      [sessionId, 'three'],
    ]);
  });

  it('is gone for what comes later only', async () => {
    const { appended, sessions, inject, settle } = steered();
    const before = [inject('one'), inject('two')];
    const deleted = sessions.delete(owner, 'main');
    const late = expect(inject('three')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    await settle();
    await Promise.all([...before, late]);
    expect([await deleted, appended.map(([, text]) => text)]).toEqual([{ sessionId: 'first' }, ['one', 'two']]);
  });
});
