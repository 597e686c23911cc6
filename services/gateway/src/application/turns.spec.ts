import fc from 'fast-check';
import { turnName, Turns } from './turns.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  it('property: work of one name is done one after the other in the order given, whatever each takes and however it ends; other names do not wait', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom('a', 'b', undefined), fc.nat({ max: 3 }), fc.boolean()), { maxLength: 20 }), async (works) => {
        const turns = new Turns(() => 0);
        const begun: number[] = [];
        const ended: number[] = [];
        await Promise.allSettled(
          works.map(([name, waits, fails], index) =>
            turns.take(name, async () => {
              begun.push(index);
              for (let wait = 0; wait < waits; wait += 1) await settle();
              ended.push(index);
              if (fails) throw new Error('no');
            }),
          ),
        );
        for (const [index, [name]] of works.entries()) {
          const before = works.flatMap(([other], at) => (at < index && other !== undefined && (name === undefined || other === name) ? [at] : []));
          expect(begun).toContain(index);
          // Whatever was given before it had ended when it began.
          for (const at of before) expect(ended.indexOf(at)).toBeLessThan(ended.indexOf(index));
        }
      }),
    );
  });

  it('begins at once when nobody is before it, and remembers nothing that is over', async () => {
    const turns = new Turns(() => 0);
    let began = false;
    const first = turns.take('a', async () => {
      began = true;
    });
    expect(began).toBe(true);
    await first;
    await settle();
    let again = false;
    void turns.take('a', async () => {
      again = true;
    });
    expect(again).toBe(true);
  });

  it('does nothing whose turn comes when nobody waits for it any more, and goes on with what comes later', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    let end: () => void = () => undefined;
    const slow = turns.take('a', () => new Promise<void>((resolve) => (end = resolve)));
    const done: string[] = [];
    const late = turns.take('a', async () => void done.push('late')).catch((error: { code: string }) => error.code);
    now = 20_000;
    const fresh = turns.take('a', async () => void done.push('fresh'));
    now = 30_001;
    end();
    await slow;
    expect(await late).toBe('UNAVAILABLE');
    await fresh;
    expect(done).toEqual(['fresh']);
  });

  it.each([
    [{ sessionKey: 'main' }, { sessionKey: 'agent:ops:home' }],
    [{}, { sessionKey: 'Agent:OPS:main' }],
    [{ sessionKey: ' Fan ' }, { sessionKey: 'agent:ops:fan' }],
    [{ sessionKey: 'fan', agentId: 'Other' }, { sessionKey: 'agent:other:fan' }],
  ])('%j and %j are one session', (one, other) => {
    const place = { agentId: 'ops', mainKey: 'home' };
    expect(turnName(one, place)).toBe(turnName(other, place));
    expect(turnName({ ...one, owner: 'ann' }, place)).not.toBe(turnName(other, place));
  });
});
