import fc from 'fast-check';
import { COMPARISONS, holds, type Predicate, PREDICATE_LIMITS, readPredicate } from './predicate.js';

const data = { amount: 120, status: 'Failed', tags: ['a', 'b'], nested: { list: [{ id: 'x' }], 'a.b': 1 }, none: null, yes: true };
const when = (path: Predicate extends infer _ ? string | readonly string[] : never, op: (typeof COMPARISONS)[number], value: unknown) =>
  ({ path, op, value }) as Predicate;

describe('a predicate over the data of an event', () => {
  it.each<[Predicate, boolean]>([
    [when('amount', 'gt', 100), true],
    [when('amount', 'lte', 120), true],
    [when('amount', 'lt', 120), false],
    [when('amount', 'gt', '100'), false],
    [when('status', 'eq', 'Failed'), true],
    [when('status', 'eq', 'failed'), false],
    [when('status', 'gte', 'Fa'), true],
    [when('missing', 'eq', null), false],
    [when('none', 'eq', null), true],
    [when('missing', 'ne', 'x'), true],
    [when('missing', 'exists', false), true],
    [when('none', 'exists', true), true],
    [when('status', 'in', ['Done', 'Failed']), true],
    [when('tags', 'contains', 'b'), true],
    [when('tags', 'contains', 'c'), false],
    [when('status', 'contains', 'ail'), true],
    [when('status', 'startsWith', 'Fa'), true],
    [when('status', 'endsWith', 'ed'), true],
    [when('status', 'like', 'F*l*'), true],
    [when('nested.list.0.id', 'eq', 'x'), true],
    [when('nested.list.length', 'exists', true), false],
    [when(['nested', 'a.b'], 'eq', 1), true],
    [when('constructor', 'exists', true), false],
    [when('__proto__', 'exists', true), false],
    [when('', 'exists', true), true],
    [{ all: [when('amount', 'gt', 1), when('yes', 'eq', true)] }, true],
    [{ any: [when('amount', 'gt', 999), when('yes', 'eq', true)] }, true],
    [{ not: when('yes', 'eq', true) }, false],
  ])('%j: %s', (predicate, expected) => {
    expect(readPredicate(predicate)).toEqual({ ok: true, value: predicate });
    expect(holds(predicate, data)).toBe(expected);
  });

  it.each<[unknown, string]>([
    [null, 'predicate'],
    [[], 'predicate'],
    [{}, 'predicate'],
    [{ all: [] }, 'predicate.all'],
    [{ all: [{ path: 'a', op: 'nope', value: 1 }] }, 'predicate.all.0.op'],
    [{ path: 'a', op: 'eq' }, 'predicate.value'],
    [{ path: 'a', op: 'eq', value: {} }, 'predicate.value'],
    [{ path: 'a', op: 'gt', value: true }, 'predicate.value'],
    [{ path: 'a', op: 'in', value: [] }, 'predicate.value'],
    [{ path: 'a', op: 'eq', value: 'x\0' }, 'predicate.value'],
    [{ path: 7, op: 'eq', value: 1 }, 'predicate.path'],
    [{ path: 'a', op: 'eq', value: 1, script: 'x' }, 'predicate'],
    [{ all: [{ path: 'a', op: 'eq', value: 1 }], any: [] }, 'predicate'],
    [{ not: { not: { not: { not: { not: { not: { not: { not: { path: 'a', op: 'eq', value: 1 } } } } } } } } }, `predicate${'.not'.repeat(8)}`],
    [{ any: Array.from({ length: 70 }, () => ({ path: 'a', op: 'eq', value: 1 })) }, 'predicate.any.63'],
  ])('refuses %j and says where', (written, path) => {
    const read = readPredicate(written);
    expect(read.ok).toBe(false);
    expect(read.ok ? [] : read.issues.map((issue) => issue.path)).toContain(path);
  });

  it('never throws on what anybody writes, and what it takes is bounded and never throws on what anybody publishes', () => {
    const comparison = fc.record({
      path: fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 20 })),
      op: fc.constantFrom(...COMPARISONS),
      value: fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.array(fc.oneof(fc.string(), fc.integer()))),
    });
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 10 },
        comparison,
        fc.anything(),
        fc.record({ not: tie('tree') }),
        fc.record({ all: fc.array(tie('tree')) }),
        fc.record({ any: fc.array(tie('tree')) }),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.anything(), (written, published) => {
        const read = readPredicate(written);
        if (!read.ok) return expect(read.issues.length).toBeGreaterThan(0);
        expect(sizeOf(read.value)).toBeLessThanOrEqual(PREDICATE_LIMITS.nodes);
        expect(depthOf(read.value)).toBeLessThanOrEqual(PREDICATE_LIMITS.depth);
        const before = JSON.stringify(read.value);
        const answer = holds(read.value, published);
        expect(holds(read.value, published)).toBe(answer);
        expect(JSON.stringify(read.value)).toBe(before);
        // What is stored comes back from the database as JSON: it means the same.
        expect(holds(JSON.parse(before) as Predicate, published)).toBe(answer);
        expect(holds({ not: read.value }, published)).toBe(!answer);
      }),
      { numRuns: 300 },
    );
  });

  it('looks at a bounded part of what is large', () => {
    const list = Array.from({ length: PREDICATE_LIMITS.elements + 1 }, (_, n) => n);
    expect(holds(when('list', 'contains', PREDICATE_LIMITS.elements - 1), { list })).toBe(true);
    expect(holds(when('list', 'contains', PREDICATE_LIMITS.elements), { list })).toBe(false);
    expect(holds(when('text', 'contains', 'end'), { text: `${'x'.repeat(PREDICATE_LIMITS.textLength)}end` })).toBe(false);
  });
});

function partsOf(predicate: Predicate): readonly Predicate[] {
  if ('all' in predicate) return predicate.all;
  if ('any' in predicate) return predicate.any;
  return 'not' in predicate ? [predicate.not] : [];
}

const sizeOf = (predicate: Predicate): number => 1 + partsOf(predicate).reduce((sum, part) => sum + sizeOf(part), 0);
const depthOf = (predicate: Predicate): number => 1 + Math.max(0, ...partsOf(predicate).map(depthOf));
