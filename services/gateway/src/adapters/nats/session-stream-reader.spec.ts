import type { Bus, OrderedMessage } from '@plexus/bus';
import type { SessionFeed } from '../../application/session-feed.js';
import { SessionStreamReader } from './session-stream-reader.js';

describe('the start of the session stream reader', () => {
  const warnings: string[] = [];
  const log = { warn: (_fields: unknown, message: string) => warnings.push(message) };
  const feed = { seq: 0, accept: () => undefined };
  beforeEach(() => warnings.splice(0));

  /** A stream whose newest message is number 10, of which a reader is sent these. */
  function reader(sent: readonly number[]): SessionStreamReader {
    const bus = {
      lastOnSubject: async () => ({ seq: 10 }),
      readOrdered: (_stream: string, _selection: unknown, handler: (message: OrderedMessage) => void) => {
        for (const seq of sent) queueMicrotask(() => handler({ seq, parsed: undefined } as unknown as OrderedMessage));
        return { ready: Promise.resolve(sent.length), stop: async () => undefined };
      },
    };
    return new SessionStreamReader(bus as unknown as Bus, feed as unknown as SessionFeed, log as never, 20);
  }

  it('waits until everything that was stored is read', async () => {
    await reader([8, 9, 10]).start(5);
    expect(warnings).toEqual([]);
  });

  it('does not keep a gateway from starting when the end is not reached in time, or was erased', async () => {
    await reader([8, 9]).start(5);
    expect(warnings).toEqual(['the session stream is not read up to its end yet; going on without']);
  });
});
