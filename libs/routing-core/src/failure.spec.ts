import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { classifyFailure, FAILURE_POLICIES, FailoverError, isTransientFailure, statusForReason } from './index.js';
import { buildError, type ErrorSpec } from './vectors/error-spec.js';

interface ClassVector {
  name: string;
  input: { error: ErrorSpec | null };
  expected: { isTransientNetwork: boolean };
  alternative?: { isTransientNetwork: boolean };
}
const classVectors = JSON.parse(readFileSync(new URL('../test/vectors/error-class.json', import.meta.url), 'utf8')) as ClassVector[];

// The process-wide policy is the narrow list; for another attempt at a delivery the wide one holds.
test.each(classVectors.map((vector) => [vector.name, vector] as const))('another attempt may help: %s', (_, { input, expected, alternative }) => {
  expect(isTransientFailure(buildError(input.error))).toBe((alternative ?? expected).isTransientNetwork);
});

test.each([
  [{ status: 401 }, 'auth', true, false],
  [{ status: 429 }, 'rate_limit', true, true],
  [{ status: 503, message: 'overloaded' }, 'overloaded', true, true],
  [{ status: 402, message: 'insufficient credits' }, 'billing', true, false],
  [{ status: 400, message: 'invalid request format' }, 'format', false, false],
  [{ status: 403, message: 'account has been suspended' }, 'auth_permanent', true, false],
  [{ code: 'ECONNREFUSED' }, 'timeout', true, true],
  [{ code: 'ENOTFOUND' }, undefined, false, true],
  [{ message: 'what?' }, undefined, false, false],
  [{ error: { status: 429 } }, 'rate_limit', true, true],
  [{ message: 'wrapped', cause: { cause: { message: 'payment required' } } }, 'billing', true, false],
  [{ name: 'AbortError', message: 'request was aborted' }, 'timeout', true, true],
  [{ name: 'AbortError', message: 'aborted' }, undefined, false, false],
])('%j is %s: failover %s, retry %s', (error, reason, failover, retryable) => {
  expect(classifyFailure(error)).toMatchObject({ reason, failover, retryable });
});

test('a decided error keeps its reason, whatever it says', () => {
  const error = new FailoverError('timed out', { reason: 'billing', code: 'X' });
  expect(classifyFailure(error)).toMatchObject({ reason: 'billing', status: 402, code: 'X' });
  expect(classifyFailure(Object.assign(new Error('rate limit'), { name: 'FailoverError', reason: 'toString' })).reason).toBe('rate_limit');
});

test('every reason has a status, and other words have none', () => {
  for (const reason of Object.keys(FAILURE_POLICIES)) expect(statusForReason(reason)).toBeGreaterThanOrEqual(400);
  expect([statusForReason('constructor'), statusForReason('')]).toEqual([undefined, undefined]);
});

test('anything that can be thrown is classified: primitives, circles, hostile getters, a million characters', () => {
  const circle: Record<string, unknown> = { message: 'x' };
  circle.cause = circle;
  circle.error = { cause: circle };
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('no');
      },
    },
  );
  for (const error of [circle, hostile, Object.create(null), Symbol('timeout'), 'a'.repeat(1_000_000), new AggregateError([circle])]) {
    expect(typeof classifyFailure(error).message).toBe('string');
  }
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (error) => {
      const { reason, retryable, failover } = classifyFailure(error);
      expect([typeof retryable, typeof failover]).toEqual(['boolean', 'boolean']);
      if (reason === undefined) expect(failover).toBe(false);
    }),
  );
});
