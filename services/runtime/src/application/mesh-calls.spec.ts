import { FakeClock } from '@plexus/kernel';
import { FrameSender } from '@plexus/vm-protocol';
import { type JournalEntry, JournalState } from '../domain/journal-state.js';
import { UplinkCalls } from './mesh-calls.js';
import { Uplink } from './uplink.js';

type Sent = { type: string; id: string; session_id: string; method: string; params: unknown; fseq: number };

function bench(maxFrames = 100) {
  const clock = new FakeClock();
  const sender = new FrameSender({ maxFrames });
  const written: JournalEntry[] = [];
  const uplink = new Uplink(sender, { append: (entry) => void written.push(entry), flush: () => undefined }, new JournalState());
  const calls = new UplinkCalls({ uplink, clock, log: () => undefined, timeouts: { slow: 300_000 } });
  const sent = (): Sent[] => [...sender.pending()].map(({ text }) => JSON.parse(text) as Sent);
  /** The mesh answers the nth frame that waits. */
  const answer = (index: number, result: unknown): void => calls.answered({ type: 'response', id: (sent()[index] as Sent).id, result });
  return { clock, sender, uplink, calls, sent, answer, written };
}

describe('a request of a session', () => {
  it('travels as a reliable frame that is in the journal, and ends with the answer', async () => {
    const { calls, sent, answer, written, clock } = bench();
    const asked = calls.request('s', 'memory_search', { query: 'x' });
    expect(sent()).toMatchObject([{ type: 'request', session_id: 's', method: 'memory_search', params: { query: 'x' }, fseq: 1 }]);
    expect(written).toMatchObject([{ k: 'up', fseq: 1 }]);
    await Promise.resolve();
    answer(0, { results: [] });
    await expect(asked).resolves.toEqual({ results: [] });
    expect([calls.open, clock.pending]).toEqual([0, 0]);
  });

  it('fails with TIMEOUT after 60 s, after what the method has, or after what the caller said, and leaves nothing behind', async () => {
    const { calls, clock } = bench();
    const ends: string[] = [];
    const ask = (name: string, method: string, options?: { timeoutMs: number }): void =>
      void calls
        .request('s', method, {}, options)
        .catch((error: { code: string; retryable: boolean }) => ends.push(`${name} ${error.code} ${error.retryable}`));
    ask('usual', 'm');
    ask('slow', 'slow');
    ask('short', 'slow', { timeoutMs: 5_000 });
    await clock.advance(4_999);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect(ends).toEqual(['short TIMEOUT true']);
    await clock.advance(55_000);
    expect(ends).toEqual(['short TIMEOUT true', 'usual TIMEOUT true']);
    await clock.advance(240_000);
    expect(ends).toHaveLength(3);
    expect([calls.open, clock.pending]).toEqual([0, 0]);
  });

  it('ends when the caller gives up, before or after it was sent, and a late answer is nobody’s', async () => {
    const { calls, sent, answer, clock } = bench();
    const stop = new AbortController();
    const asked = calls.request('s', 'm', {}, { signal: stop.signal });
    stop.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    answer(0, 1);
    await expect(calls.request('s', 'm', {}, { signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect([calls.open, clock.pending, sent().length]).toEqual([0, 0, 1]);
  });

  it('waits for room in a full buffer within its time, and is not sent any more once it has ended', async () => {
    const { calls, uplink, sent, answer, clock } = bench(1);
    await calls.tell('s', 'audit_log', { event: 'x' });
    const late = calls.request('s', 'late', {}, { timeoutMs: 1_000 });
    const asked = calls.request('s', 'm', {});
    const failed = expect(late).rejects.toMatchObject({ code: 'TIMEOUT' });
    await clock.advance(1_000);
    await failed;
    uplink.acknowledge(1);
    await clock.advance(0);
    expect(sent()).toMatchObject([{ method: 'm', fseq: 2 }]);
    answer(0, 'yes');
    await expect(asked).resolves.toBe('yes');
  });

  it('is refused when too many are open, or when it is too large for the mesh', async () => {
    const { calls, sent } = bench(10_000);
    const open = Array.from({ length: 1_000 }, () => calls.request('s', 'm', {}));
    for (const one of open) one.catch(() => undefined);
    await expect(calls.request('s', 'm', {})).rejects.toMatchObject({ code: 'QUEUE_FULL', retryable: true });
    expect(sent()).toHaveLength(1_000);
    calls.close();
    await expect(Promise.allSettled(open).then((ends) => new Set(ends.map(({ status }) => status)))).resolves.toEqual(new Set(['rejected']));
    const large = { content: 'x'.repeat(600_000) };
    await expect(calls.request('s', 'm', large)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    await expect(calls.tell('s', 'm', large)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect([calls.open, sent().length]).toEqual([0, 1_000]);
  });
});
