import { type AppendTranscript, TakeTranscripts } from './take-transcripts.js';

const session = { sessionId: 's', sessionKey: 'agent:main:main', owner: 'me' };
const message = (sourceSeq: number, text = `text ${sourceSeq}`) => ({ messageId: `m${sourceSeq}`, role: 'user' as const, text, sourceSeq });
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Appends that end when the test says so. */
function steered() {
  const begun: { seqs: (number | undefined)[]; inOrder: boolean; end: (result?: 'early' | Error) => void }[] = [];
  const append: AppendTranscript = (_tenant, _session, messages, inOrder) =>
    new Promise((resolve, reject) => {
      const seqs = messages.map(({ sourceSeq }) => sourceSeq);
      begun.push({ seqs, inOrder, end: (result) => (result instanceof Error ? reject(result) : resolve(result ?? 'appended')) });
    });
  const transcripts = new TakeTranscripts(append);
  return { begun, take: (given: ReturnType<typeof message>, inOrder = true) => transcripts.take('t', session, given, inOrder) };
}

describe('TakeTranscripts', () => {
  it('appends at once, and together in the order of the transcript what comes meanwhile', async () => {
    const { begun, take } = steered();
    const all = [take(message(1)), take(message(3)), take(message(2))];
    expect(begun.map(({ seqs }) => seqs)).toEqual([[1]]);
    begun[0]?.end();
    await settled();
    expect(begun.map(({ seqs }) => seqs)).toEqual([[1], [2, 3]]);
    begun[1]?.end();
    await expect(Promise.all(all)).resolves.toEqual(['appended', 'appended', 'appended']);
  });

  it('what does not follow, and what no longer waits for its predecessor, is not appended behind others', async () => {
    const { begun, take } = steered();
    const all = [take(message(1)), take(message(2)), take(message(4)), take(message(5), false)];
    for (let turn = 0; turn < 4; turn += 1) {
      begun[turn]?.end(turn === 2 ? 'early' : undefined);
      await settled();
    }
    expect(begun).toMatchObject([
      { seqs: [1], inOrder: true },
      { seqs: [2], inOrder: true },
      { seqs: [4], inOrder: true },
      { seqs: [5], inOrder: false },
    ]);
    await expect(Promise.all(all)).resolves.toEqual(['appended', 'appended', 'early', 'appended']);
  });

  it('one that cannot be kept does not hold up its neighbours', async () => {
    const { begun, take } = steered();
    const all = Promise.allSettled([take(message(1)), take(message(2)), take(message(3))]);
    begun[0]?.end();
    await settled();
    begun[1]?.end(new Error('unstorable'));
    await settled();
    begun[2]?.end(new Error('unstorable'));
    await settled();
    begun[3]?.end();
    expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(begun.map(({ seqs }) => seqs)).toEqual([[1], [2, 3], [2], [3]]);
  });

  it('an append is bounded in messages and characters', async () => {
    const { begun, take } = steered();
    void take(message(1));
    void take(message(2, 'x'.repeat(40_000)));
    for (let seq = 3; seq <= 80; seq += 1) void take(message(seq));
    for (let turn = 0; turn < 4; turn += 1) {
      begun[turn]?.end();
      await settled();
    }
    expect(begun.map(({ seqs }) => seqs.length)).toEqual([1, 1, 64, 14]);
  });
});
