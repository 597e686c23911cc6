import fc from 'fast-check';
import { judgeFailure } from './channel-failure.js';
import { afterFailure, MAX_ATTEMPTS } from './delivery-plan.js';

const situation = fc.record({
  attempts: fc.integer({ min: 1, max: 40 }),
  othersLeft: fc.nat(3),
  othersMayRecover: fc.boolean(),
  remainingMs: fc.integer({ min: -10, max: 500_000 }),
});
const failure = fc.record({ failover: fc.boolean(), retryable: fc.boolean(), retryAfterMs: fc.option(fc.nat(100_000), { nil: undefined }) });
const random = fc.double({ min: 0, max: 0.999, noNaN: true });

test('retries have a budget and an end: never beyond the deadline, never sooner than the channel asks for', () => {
  fc.assert(
    fc.property(failure, situation, random, (of, now, chance) => {
      const next = afterFailure(of, now, () => chance);
      if (now.attempts >= MAX_ATTEMPTS || now.remainingMs <= 0) expect(next).toEqual({ kind: 'give-up' });
      if (next.kind === 'wait') {
        expect(of.retryable || (of.failover && now.othersMayRecover)).toBe(true);
        expect(next.delayMs).toBeGreaterThanOrEqual(of.retryAfterMs ?? 0);
        expect(next.delayMs).toBeLessThan(now.remainingMs);
      }
      if (next.kind === 'other-account') expect([of.failover, now.othersLeft > 0]).toEqual([true, true]);
      if (!of.retryable && !(of.failover && (now.othersLeft > 0 || now.othersMayRecover))) expect(next).toEqual({ kind: 'give-up' });
    }),
  );
});

test.each([
  [
    { message: 'Bad Request: chat not found', status: 400 },
    { reason: 'target', failover: false, retryable: false, ofAccount: false },
  ],
  [
    { message: 'gone', status: 410 },
    { reason: 'target', ofAccount: false },
  ],
  [
    { message: 'channel_not_found', code: 'channel_not_found' },
    { reason: 'target', retryable: false },
  ],
  [
    { message: 'Too Many Requests: retry after 3', status: 429, retryAfterMs: 3_000 },
    { reason: 'rate_limit', retryable: true, retryAfterMs: 3_000, ofAccount: true },
  ],
  [
    { message: 'Unauthorized', status: 401 },
    { failover: true, retryable: false, ofAccount: true },
  ],
  [
    { message: 'connect ECONNREFUSED', code: 'ECONNREFUSED' },
    { failover: true, retryable: true, ofAccount: true },
  ],
  [
    { message: 'Bad Gateway', status: 502 },
    { failover: true, retryable: true, ofAccount: true },
  ],
  [
    { message: 'no outcome came in time', code: 'ETIMEDOUT' },
    { reason: 'timeout', retryable: true },
  ],
  [{ message: 'something odd' }, { reason: 'unknown', failover: true, retryable: true, ofAccount: true }],
])('%j is judged as %j', (error, verdict) => {
  expect(judgeFailure(error)).toMatchObject(verdict);
});

test.each([
  ['telegram', { message: 'Forbidden: bot was blocked by the user', code: '403', status: 403 }, { reason: 'target', failover: false, ofAccount: false }],
  ['telegram', { message: 'Forbidden: user is deactivated', code: '403', status: 403 }, { reason: 'target', failover: false, ofAccount: false }],
  ['telegram', { message: 'Forbidden: bot was kicked from the group chat', code: '403', status: 403 }, { reason: 'place', failover: true, ofAccount: false }],
  ['telegram', { message: 'Unauthorized', code: '401', status: 401 }, { reason: 'auth', retryable: false, ofAccount: true }],
  ['slack', { message: 'Slack says not_in_channel', code: 'not_in_channel' }, { reason: 'place', failover: true, retryable: false, ofAccount: false }],
  ['slack', { message: 'Slack says restricted_action', code: 'restricted_action' }, { reason: 'place', ofAccount: false }],
  ['slack', { message: 'Slack says user_disabled', code: 'user_disabled' }, { reason: 'target', ofAccount: false }],
  ['slack', { message: 'Slack says invalid_auth', code: 'invalid_auth' }, { reason: 'auth', failover: true, retryable: false, ofAccount: true }],
  ['slack', { message: 'Slack says token_revoked', code: 'token_revoked' }, { reason: 'auth', retryable: false, ofAccount: true }],
  ['upstream', { message: 'session "x" is not among those that are used', code: 'BAD_TARGET', status: 403 }, { reason: 'target', ofAccount: false }],
  [
    'telegram',
    { message: 'Forbidden: bot was blocked by the user', code: 'TARGET_REFUSED', status: 403 },
    { reason: 'target', failover: false, ofAccount: false },
  ],
  [
    'telegram',
    { message: 'Forbidden: bot was kicked from the group chat', code: 'TARGET_REFUSED', status: 403 },
    { reason: 'place', failover: true, ofAccount: false },
  ],
  ['slack', { message: 'Slack says not_in_channel', code: 'TARGET_REFUSED' }, { reason: 'place', failover: true, ofAccount: false }],
  ['slack', { message: 'Slack says channel_not_found', code: 'TARGET_REFUSED' }, { reason: 'target', failover: false, ofAccount: false }],
  ['webhook', { message: 'HTTP 401', code: 'AUTH_FAILED', status: 401 }, { reason: 'auth', failover: true, retryable: false, ofAccount: true }],
  ['webhook', { message: 'HTTP 403', code: '403', status: 403 }, { failover: true, retryable: false, ofAccount: true }],
  ['webhook', { message: 'no account', code: 'ACCOUNT_UNKNOWN', status: 404 }, { reason: 'account', failover: true, retryable: true, ofAccount: true }],
])('on %s %j is judged as %j', (channel, error, verdict) => {
  expect(judgeFailure(error, channel)).toMatchObject(verdict);
});
