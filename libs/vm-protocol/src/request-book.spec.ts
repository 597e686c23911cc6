import fc from 'fast-check';
import { type RequestAnswer, RequestBook } from './request-book.js';

const answer: RequestAnswer = { ok: true, result: 1 };

describe('requests that have no answer yet', () => {
  it('ends one by its response, and knows nothing of it afterwards', () => {
    const book = new RequestBook<string>();
    expect(book.open('a', 'what', 60)).toBe(true);
    expect(book.open('a', 'again', 60)).toBe(false);
    book.sent('a', 1);
    expect(book.answered('a', answer)).toEqual({ id: 'a', request: 'what', answer });
    expect(book.answered('a', answer)).toBeUndefined();
    expect([book.size, book.nextDueAt, book.withdraw('a'), book.expire(1_000)]).toEqual([0, undefined, false, []]);
  });

  it('asks after a reconnect about those whose frame has arrived; the others go out again with the spool', () => {
    const book = new RequestBook<string>();
    for (const [id, fseq] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const) {
      book.open(id, id, 60);
      book.sent(id, fseq);
    }
    book.open('waits for room', 'd', 60);
    expect(book.resume(2)).toEqual(['a', 'b']);
    const { ended, again } = book.resumed({
      a: { status: 'failed', error: { code: 'NOT_FOUND', message: 'no' } },
      b: { status: 'pending' },
      c: { status: 'not_found' },
      x: { status: 'completed', data: 1 },
    });
    expect(ended).toEqual([{ id: 'a', request: 'a', answer: { ok: false, error: { code: 'NOT_FOUND', message: 'no' } } }]);
    expect(again).toEqual([]);
    expect(book.size).toBe(3);
  });

  it('sends one that the other side has lost once more, however often it is told so', () => {
    const book = new RequestBook<string>();
    book.open('a', 'a', 60);
    book.sent('a', 1);
    book.resume(1);
    expect(book.resumed({ a: { status: 'not_found' } }).again).toEqual([{ id: 'a', request: 'a' }]);
    expect(book.resumed({ a: { status: 'not_found' } }).again).toEqual([]);
    book.sent('a', 9);
    expect(book.resumed({ a: { status: 'not_found' } }).again).toEqual([]);
    expect(book.resume(8)).toEqual([]);
    expect(book.resume(9)).toEqual(['a']);
    expect(book.resumed({ a: { status: 'completed', data: 7 } }).ended).toMatchObject([{ answer: { ok: true, result: 7 } }]);
  });

  it('has a bound', () => {
    const book = new RequestBook<string>(2);
    expect(['a', 'b', 'c'].map((id) => book.open(id, id, 1))).toEqual([true, true, false]);
    book.withdraw('a');
    expect(book.open('c', 'c', 1)).toBe(true);
  });

  it('says when the next one is out of time, and ends those that are', () => {
    const book = new RequestBook<string>();
    book.open('a', 'a', 300);
    book.open('b', 'b', 100);
    expect(book.nextDueAt).toBe(100);
    expect(book.expire(99)).toEqual([]);
    expect(book.expire(100)).toEqual([{ id: 'b', request: 'b' }]);
    expect(book.nextDueAt).toBe(300);
  });
});

type Step =
  | { readonly do: 'open' | 'cut' | 'move' | 'arrive' | 'work' | 'resume' }
  | { readonly do: 'answer'; readonly at: number }
  | { readonly do: 'withdraw' | 'lose' | 'twice'; readonly at: number }
  | { readonly do: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Step>({ do: 'open' }, { do: 'arrive' }, { do: 'work' }, { do: 'resume' }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'cut' }, { do: 'move' }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('answer', 'withdraw', 'lose', 'twice'), at: fc.nat(20) }) as fc.Arbitrary<Step> },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 1, max: 40 }) }) as fc.Arbitrary<Step> },
);

/** A caller, a line of numbered frames that a cut repeats from what had arrived, and a peer that keeps answers until it is another process. */
class World {
  readonly book = new RequestBook<string>(8);
  readonly ends = new Map<string, string[]>();
  /** How often the peer that lives now has carried a request out. */
  worked = new Map<string, number>();
  now = 0;
  private frames: { fseq: number; id: string }[] = [];
  private arrivedUpTo = 0;
  private toWork: string[] = [];
  private answers: string[] = [];
  private asked: string[] | undefined;
  private next = 0;

  private readonly end = (id: string, how: string): void => {
    this.ends.get(id)?.push(how);
  };

  private send(id: string): void {
    this.frames.push({ fseq: this.frames.length + 1, id });
    this.book.sent(id, this.frames.length);
  }

  apply(step: Step): void {
    switch (step.do) {
      case 'open': {
        const id = `r${this.next++}`;
        if (!this.book.open(id, id, this.now + 100)) return;
        this.ends.set(id, []);
        this.send(id);
        return;
      }
      case 'arrive': {
        const frame = this.frames[this.arrivedUpTo];
        if (!frame) return;
        this.arrivedUpTo++;
        this.toWork.push(frame.id);
        return;
      }
      case 'work': {
        const id = this.toWork.shift();
        if (id === undefined) return;
        if (!this.worked.has(id)) this.worked.set(id, 1);
        this.answers.push(id);
        return;
      }
      case 'answer':
      case 'twice':
      case 'lose': {
        const at = step.at % Math.max(1, this.answers.length);
        const id = this.answers[at];
        if (id === undefined) return;
        if (step.do !== 'twice') this.answers.splice(at, 1);
        if (step.do !== 'lose' && this.book.answered(id, { ok: true, result: id })) this.end(id, 'answer');
        return;
      }
      case 'withdraw': {
        const id = `r${step.at}`;
        if (this.book.withdraw(id)) this.end(id, 'withdrawn');
        return;
      }
      case 'wait':
        this.now += step.ms;
        for (const { id } of this.book.expire(this.now)) this.end(id, 'late');
        return;
      case 'cut':
      case 'move':
        this.reconnect(step.do === 'move');
        return;
      case 'resume':
        this.resume();
    }
  }

  /** Answers in flight are lost; another process remembers nothing of what it was asked. */
  private reconnect(elsewhere: boolean): void {
    this.answers = [];
    if (elsewhere) {
      this.toWork = [];
      this.worked = new Map();
    }
    this.asked = this.book.resume(this.arrivedUpTo);
  }

  private resume(): void {
    const results = (this.asked ?? []).map((id) => [
      id,
      this.worked.has(id) ? { status: 'completed' as const, data: id } : { status: this.toWork.includes(id) ? ('pending' as const) : ('not_found' as const) },
    ]);
    this.asked = undefined;
    const { ended, again } = this.book.resumed(Object.fromEntries(results));
    for (const { id } of ended) this.end(id, 'resumed');
    for (const { id } of again) this.send(id);
  }

  /** A quiet network from here on. */
  settle(): void {
    this.reconnect(true);
    this.resume();
    for (let i = 0; i < 300; i++) {
      this.apply({ do: 'arrive' });
      this.apply({ do: 'work' });
      this.apply({ do: 'answer', at: 0 });
    }
  }
}

describe('a request', () => {
  it('ends exactly once and leaves nothing behind, under any order of responses, resumes, reconnects and time limits', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const world = new World();
        for (const one of steps) {
          world.apply(one);
          const open = [...world.ends.values()].filter((ends) => ends.length === 0).length;
          if (world.book.size !== open || open > 8) throw new Error(`${world.book.size} are open, ${open} have no end`);
        }
        // Nothing hangs until its time limit when the peer works: whatever was lost is asked for again.
        world.settle();
        expect([...world.ends.values()].map((ends) => ends.length)).toEqual(Array.from(world.ends, () => 1));
        expect([world.book.size, world.book.nextDueAt]).toEqual([0, undefined]);
      }),
      { numRuns: 300 },
    );
  });
});
