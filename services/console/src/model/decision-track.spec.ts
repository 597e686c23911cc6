import { STAGES, toneOfOutcome, trackOf } from './decision-track.js';

const statusOf = (decision: Parameters<typeof trackOf>[0]) => Object.fromEntries(trackOf(decision).map(({ stage, status }) => [stage, status]));

describe('the picture of a decision', () => {
  it('shows what was sent as passed through every stage up to the sending', () => {
    const statuses = statusOf({ verdict: 'sent', reason: 'sent', trace: [{ stage: 'emit', rule: 'notification', verdict: 'pass' }] });
    expect(statuses.emit).toBe('sent');
    expect(STAGES.slice(0, -1).every((stage) => statuses[stage] === 'passed')).toBe(true);
  });

  it('ends where a rule stopped it; what lies behind was not reached', () => {
    const statuses = statusOf({
      verdict: 'dropped',
      reason: 'muted',
      trace: [
        { stage: 'validity', rule: 'access', verdict: 'pass' },
        { stage: 'preference', rule: 'subscription:muted', verdict: 'stop' },
      ],
    });
    expect(statuses).toMatchObject({ validity: 'passed', preference: 'stopped', state: 'skipped', emit: 'skipped' });
  });

  it('waits at the last stage that deferred it', () => {
    const statuses = statusOf({
      verdict: 'deferred',
      reason: 'throttled',
      trace: [
        { stage: 'quiet', rule: 'ended', verdict: 'defer' },
        { stage: 'throttle', rule: '3 per 3600', verdict: 'defer' },
      ],
    });
    expect(statuses).toMatchObject({ aggregate: 'passed', throttle: 'deferred', emit: 'skipped' });
  });

  it.each([
    ['duplicate_event', 'dropped', 'idempotency'],
    ['collapsed', 'suppressed', 'collapse'],
    ['low_value', 'inbox', 'priority'],
  ])('knows where %s ends when the trace does not say it', (reason, verdict, stage) => {
    expect(trackOf({ reason, verdict, trace: [] }).find(({ status }) => status === 'stopped')?.stage).toBe(stage);
  });

  it('shows a reason that it does not know as no end instead of a wrong one', () => {
    expect(trackOf({ reason: 'brand_new', verdict: 'dropped', trace: [] }).every(({ status }) => status === 'passed')).toBe(true);
  });

  it('colours outcomes by what they mean for the reader', () => {
    expect(['sent', 'deferred', 'suppressed', 'dropped'].map(toneOfOutcome)).toEqual(['ok', 'warn', 'info', 'bad']);
  });
});
