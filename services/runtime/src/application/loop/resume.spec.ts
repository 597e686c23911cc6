import fc from 'fast-check';
import { call, CheckpointsInMemory, loopBench, type Said, say, settled, shown, text, tool, turnOf } from '../../../test/support/loop-bench.js';
import type { Checkpoint } from './checkpoint.js';

/** A store whose process dies at its n-th save, before or after that is on the disk. */
class DyingStore extends CheckpointsInMemory {
  private saves = 0;

  constructor(
    private readonly diesAt: number,
    private readonly written: boolean,
  ) {
    super();
  }

  override async save(checkpoint: Checkpoint): Promise<void> {
    if (++this.saves < this.diesAt) return super.save(checkpoint);
    if (this.saves === this.diesAt && this.written) await super.save(checkpoint);
    // Nothing that a dead process waits for ever comes.
    return new Promise(() => undefined);
  }
}

/** A model that asks for `steps[n]` tools in its n-th step, wherever the conversation comes from, and then has done. */
const following = (steps: readonly number[]): Said =>
  async function* ({ conversation = [] }) {
    const step = conversation.filter(({ toolCalls }) => toolCalls !== undefined).length;
    const calls = steps[step];
    yield text(calls === undefined ? 'the end' : `step ${step}`);
    for (let index = 0; index < (calls ?? 0); index++) yield call(`${step}.${index}`, 'count', { step, index });
  };

describe('a run whose process dies', () => {
  it('goes on from its checkpoint: no call is made a second time, and the reader has the whole text in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 14 }),
        fc.boolean(),
        async (steps, diesAt, written) => {
          const begun = new Map<string, number>();
          const count = tool('count', async (input) => {
            const key = JSON.stringify(input);
            begun.set(key, (begun.get(key) ?? 0) + 1);
            return { content: key };
          });
          const first = new DyingStore(diesAt, written);
          const before = loopBench([following(steps)], { tools: [count], checkpoints: first });
          const ran = say(before.session);
          await Promise.race([ran, settled()]);
          const completed = (first.all.at(-1)?.run.turns[0]?.shown ?? []).filter((one) => one.type === 'tool' && one.result !== undefined);

          const second = new CheckpointsInMemory();
          second.all.push(...first.all);
          const after = loopBench([following(steps)], { tools: [count], checkpoints: second });
          const pieces = await say(after.session, turnOf({ resume: true }));

          expect(shown(pieces)).toBe([...steps.map((_, step) => `step ${step}`), 'the end'].join('\n\n'));
          for (const one of completed) if (one.type === 'tool') expect(begun.get(JSON.stringify(one.input))).toBe(1);
          // A step whose checkpoint never reached the disk had not begun its tools.
          for (const times of begun.values()) expect(times).toBe(1);
          const ends = pieces.flatMap((piece) => (piece.type === 'tool_end' ? [piece.callId] : []));
          expect(ends).toEqual(steps.flatMap((calls, step) => Array.from({ length: calls }, (_, index) => `${step}.${index}`)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says of a call that ran when it died that its result is lost, and does not make it again by itself', async () => {
    const store = new CheckpointsInMemory();
    const hanging = tool('send', () => new Promise(() => undefined));
    const first = loopBench([[call('a', 'send')]], { tools: [hanging], checkpoints: store });
    void say(first.session);
    await settled();
    expect(hanging.begun).toBe(1);
    const second = loopBench([[text('I shall look.')]], { tools: [hanging], checkpoints: store });
    const pieces = await say(second.session, turnOf({ resume: true }));
    expect(pieces.find(({ type }) => type === 'tool_end')).toMatchObject({ callId: 'a', isError: true, result: expect.stringContaining('may or may not') });
    expect(second.asked[0]?.conversation?.at(-1)).toMatchObject({ role: 'tool', toolCallId: 'a', toolFailed: true });
    expect(hanging.begun).toBe(1);
  });

  it('begins anew where there is no checkpoint, and takes none of another run', async () => {
    const fresh = loopBench([[text('anew')]]);
    expect(shown(await say(fresh.session, turnOf({ resume: true })))).toBe('anew');
    const other = loopBench([[text('mine')]], { checkpoints: fresh.checkpoints });
    const pieces = await say(other.session, turnOf({ runId: 'r2', resume: true }));
    expect([shown(pieces), other.asked.length]).toEqual(['mine', 1]);
  });

  it('says an answer again that was complete, without asking the model', async () => {
    const first = loopBench([[text('said once')]]);
    await say(first.session);
    const second = loopBench([[text('never')]], { checkpoints: first.checkpoints });
    expect(shown(await say(second.session, turnOf({ resume: true })))).toBe('said once');
    expect(second.asked).toHaveLength(0);
  });

  it('goes on in the turn in which it was: those before are only said again', async () => {
    const first = loopBench([[text('one')], [text('two')]]);
    await say(first.session);
    await say(first.session, turnOf({ message: 'further' }));
    const second = loopBench([[text('three')]], { checkpoints: first.checkpoints });
    const texts = [
      await say(second.session),
      await say(second.session, turnOf({ message: 'further' })),
      await say(second.session, turnOf({ message: 'last' })),
    ];
    expect(texts.map(shown)).toEqual(['one', 'two', 'three']);
    expect(second.asked).toHaveLength(1);
  });
});
