import fc from 'fast-check';
import { RecentBudget, RecentItems } from './recent-items.js';

const item = (offset: number) => ({ offset }) as never;
const offsets = (items: readonly { offset: number }[] | undefined) => items?.map(({ offset }) => offset);

describe('the newest items of an inbox', () => {
  it('are the 64 newest, and for a minute', () => {
    const recent = new RecentItems();
    for (let offset = 1; offset <= 100; offset += 1) recent.add(item(offset), offset);
    expect(offsets(recent.between(36, 100, 100))).toEqual(Array.from({ length: 64 }, (_, index) => index + 37));
    expect(recent.between(35, 100, 100)).toBeUndefined();
    expect(offsets(recent.between(100, 100, 100))).toEqual([]);
    expect(offsets(recent.between(98, 100, 60_098))).toEqual([99, 100]);
    expect(recent.between(98, 100, 60_099)).toBeUndefined();
    expect(offsets(recent.between(100, 100, 1e9))).toEqual([]);
  });

  it('of all users together stay within the bounds of the process: who has had nothing new for longest loses theirs', () => {
    let forgotten = 0;
    const budget = new RecentBudget({ items: 4, bytes: 1_000_000 }, () => {
      forgotten += 1;
    });
    const [ada, bob, cleo] = [new RecentItems(budget), new RecentItems(budget), new RecentItems(budget)] as const;
    for (const [user, offset] of [
      [ada, 1],
      [bob, 1],
      [ada, 2],
      [cleo, 1],
    ] as const)
      user.add(item(offset), 0);
    expect([budget.kept.items, forgotten]).toEqual([4, 0]);
    cleo.add(item(2), 0);
    expect([budget.kept.items, forgotten]).toEqual([4, 1]);
    expect([bob.between(0, 1, 0), offsets(ada.between(0, 2, 0)), offsets(cleo.between(0, 2, 0))]).toEqual([undefined, [1, 2], [1, 2]]);
    ada.clear();
    expect(budget.kept.items).toBe(2);
    cleo.prune(60_000);
    expect(budget.kept).toEqual({ items: 0, bytes: 0 });
  });

  it('are bounded by what they weigh as well, and one that is too heavy alone is not kept', () => {
    const budget = new RecentBudget({ items: 100, bytes: 400 });
    const [ada, bob] = [new RecentItems(budget), new RecentItems(budget)] as const;
    const heavy = (offset: number, characters: number) => ({ offset, text: 'x'.repeat(characters) }) as never;
    ada.add(heavy(1, 100), 0);
    bob.add(heavy(1, 100), 0);
    expect([ada.between(0, 1, 0), offsets(bob.between(0, 1, 0))]).toEqual([undefined, [1]]);
    bob.add(heavy(2, 1_000), 0);
    expect([bob.between(1, 2, 0), budget.kept]).toEqual([undefined, { items: 0, bytes: 0 }]);
  });

  it('property: never have a gap, whatever was added, forgotten or asked for', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), skip: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ kind: fc.constant('clear' as const), skip: fc.constant(0) }),
      fc.record({ kind: fc.constant('wait' as const), skip: fc.integer({ min: 0, max: 40_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.nat(130), (steps, from) => {
        const recent = new RecentItems();
        let [head, now] = [0, 0];
        for (const { kind, skip } of steps) {
          if (kind === 'clear') recent.clear();
          else if (kind === 'wait') now += skip;
          else {
            head += 1 + (skip === 2 ? 1 : 0);
            recent.add(item(head), now);
          }
        }
        const found = offsets(recent.between(from, head, now));
        if (found !== undefined) expect(found).toEqual(Array.from({ length: head - from }, (_, index) => from + index + 1));
        if (found !== undefined) expect(found.length).toBeLessThanOrEqual(64);
      }),
    );
  });
});
