import fc from 'fast-check';
import { admitToQueue, gather, joinMessages, type QueueMode, releaseAt, type Waiting } from './queue-policy.js';

const mode = fc.constantFrom<QueueMode>('collect', 'steer', 'followup', 'interrupt');
const waiting: fc.Arbitrary<Waiting> = fc.record({
  mode: fc.constantFrom<QueueMode>('collect', 'followup'),
  gatherKey: fc.constantFrom('a', 'b'),
  at: fc.nat(10_000),
  bytes: fc.integer({ min: 1, max: 50 }),
});
const queue = fc.array(waiting, { maxLength: 8 }).map((items) => [...items].sort((a, b) => a.at - b.at));

test('a free session starts a message under every mode; a busy one never starts a second run', () => {
  fc.assert(
    fc.property(mode, fc.boolean(), fc.nat(5), fc.nat(5), (of, active, count, limit) => {
      const { kind } = admitToQueue(of, { active, waiting: count }, limit);
      if (!active && count === 0) expect(kind).toBe('start');
      else expect(kind).not.toBe('start');
      if (kind === 'steer') expect(active).toBe(true);
      if (kind === 'wait' || kind === 'steer') expect(count).toBeLessThan(limit);
    }),
  );
});

test.each([
  ['collect', { active: true, waiting: 0 }, 'wait'],
  ['followup', { active: true, waiting: 3 }, 'wait'],
  ['followup', { active: true, waiting: 4 }, 'refuse'],
  ['steer', { active: true, waiting: 0 }, 'steer'],
  ['steer', { active: false, waiting: 1 }, 'wait'],
  ['steer', { active: true, waiting: 4 }, 'refuse'],
  ['interrupt', { active: true, waiting: 4 }, 'interrupt'],
] as const)('%s with %j: %s', (of, session, kind) => {
  expect(admitToQueue(of, session, 4)).toEqual({ kind });
});

test('what becomes one run is the head of the queue, of one place, collected, and within its size', () => {
  fc.assert(
    fc.property(queue, fc.integer({ min: 1, max: 120 }), (items, maxBytes) => {
      const gathered = gather(items, maxBytes);
      expect(gathered).toEqual(items.slice(0, gathered.length));
      expect(gathered.length).toBe(items.length === 0 ? 0 : Math.max(1, gathered.length));
      if (gathered.length > 1) {
        expect(new Set(gathered.map(({ gatherKey }) => gatherKey)).size).toBe(1);
        expect(gathered.every((item) => item.mode === 'collect')).toBe(true);
        expect(gathered.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(maxBytes);
      }
    }),
  );
});

test('handing out waits for quiet, and never longer than ten times that after the first message', () => {
  fc.assert(
    fc.property(queue, fc.nat(2_000), (items, debounceMs) => {
      const at = releaseAt(items, debounceMs);
      const [first] = items;
      if (first?.mode !== 'collect' || debounceMs === 0) expect(at).toBe(Number.NEGATIVE_INFINITY);
      else {
        expect(at).toBeGreaterThanOrEqual(first.at + debounceMs);
        expect(at).toBeLessThanOrEqual(first.at + 10 * debounceMs);
      }
    }),
  );
});

test('a single message stays as it was written', () => {
  expect(joinMessages(['  a\n'])).toBe('  a\n');
  expect(joinMessages(['a', 'b'])).toBe('a\n\nb');
});
