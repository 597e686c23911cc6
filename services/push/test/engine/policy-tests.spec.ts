import { PushPolicy, type PushPolicyText } from '@plexus/contracts';
import { runPolicyTests } from '../../src/domain/policy-tests/run.js';

const run = (policy: Omit<PushPolicyText, 'name'>) => runPolicyTests(PushPolicy.parse({ name: 'tested', ...policy }));
const steps = [0, 60, 120, 180].map((at) => ({ at, event: { id: `e${at}` } }));

describe('tests that a policy carries', () => {
  it('pass when everything happens as expected', () => {
    const expect_ = {
      sends: [
        { at: 0, events: ['e0'], kind: 'notification' as const, priority: 'P2' as const, channels: ['email'] },
        { at: 3_600, count: 3, kind: 'digest' as const },
      ],
      interrupts: 2,
      inbox: 2,
      decisions: [{ event: 'e60', verdict: 'sent' as const, at: 3_600 }],
      channels: [
        { at: 600, event: 'e0', channel: 'webpush' },
        { at: 4_200, event: 'e180', channel: 'webpush' },
      ],
    };
    const plan = [{ channel: 'email' }, { channel: 'webpush', afterUnseenSeconds: 600 }];
    const result = run({ throttle: [{ n: 1, perSeconds: 3_600 }], channels: [{ plan }], tests: [{ name: 'limit', steps, expect: expect_ }] });
    expect(result).toEqual({ passed: true, total: 1, failures: [] });
  });

  it('say what came instead when it does not', () => {
    const result = run({
      tests: [
        { name: 'too few', steps, expect: { sends: [{ at: 0 }], interrupts: 1 } },
        { name: 'another end', steps, expect: { decisions: [{ event: 'e0', reason: 'throttled' }, { event: 'nobody' }] } },
      ],
    });
    expect(result.passed).toBe(false);
    expect(result.failures.map(({ test, message }) => `${test}: ${message.slice(0, 40)}`)).toEqual([
      expect.stringContaining('too few: expected 1 interrupts, got 4'),
      expect.stringContaining('too few: not expected'),
      expect.stringContaining('too few: not expected'),
      expect.stringContaining('too few: not expected'),
      expect.stringContaining("another end: event 'e0': expected"),
      "another end: event 'nobody' did not end",
    ]);
  });

  it('know every kind of step', () => {
    const off = [{ id: 'p', match: { types: ['b'] }, value: 'off' as const }];
    const result = run({
      escalation: { afterSeconds: [100] },
      channels: [{ plan: [{ channel: 'webpush', afterUnseenSeconds: 60 }] }],
      tests: [
        {
          name: 'all',
          start: '2026-01-05T21:00:00Z',
          steps: [
            { at: 0, preferences: off },
            { at: 0, quietHours: { tz: 'UTC', start: '22:00', end: '07:00' } },
            { at: 0, silence: { matchers: [{ label: 'region', op: '=', value: 'eu' }], from: 0, to: 50 } },
            { at: 1, event: { id: 'silenced', regions: ['eu'] } },
            { at: 1, event: { id: 'off', type: 'b' } },
            { at: 2, event: { id: 'critical', severity: 'critical' } },
            { at: 3, seen: 'critical' },
            { at: 4, ack: 'critical' },
            { at: 5, access: { scopeKind: 'topic', scopeRef: 't', change: 'restricted' } },
            { at: 6, event: { id: 'secret', topics: ['t'] } },
            { at: 7, access: { scopeKind: 'topic', scopeRef: 't', change: 'granted' } },
            { at: 8, event: { id: 'known', topics: ['t'] } },
            { at: 9, seen: 'known' },
          ],
          expect: {
            decisions: [
              { event: 'silenced', reason: 'silenced' },
              { event: 'off', reason: 'opted_out' },
              { event: 'secret', reason: 'not_authorized' },
              { event: 'known', reason: 'sent' },
            ],
            sends: [{ at: 2, priority: 'P0' }, { at: 8 }],
            channels: [],
          },
        },
        { name: 'nothing to acknowledge', steps: [{ at: 0, ack: 'ghost' }], expect: { interrupts: 0 } },
      ],
    });
    expect(result.failures).toEqual([{ test: 'nothing to acknowledge', message: "at 0: no delivery holds 'ghost' yet" }]);
  });
});
