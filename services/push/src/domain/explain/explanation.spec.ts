import { PushPolicy, type PushPolicyText, TestStep } from '@plexus/contracts';
import { createEngine } from '../engine/engine.js';
import type { Decision, Outcome, ReasonCode, Stage } from '../engine/types.js';
import { EVERYBODY, inputsOf, type Said, saidAfter, TEST_TENANT } from '../policy-tests/inputs.js';
import { LogRun } from '../replay/run-log.js';
import { explainDecisions } from './explanation.js';

type Written = Parameters<typeof TestStep.parse>[0];

const START = Date.parse('2026-01-05T10:00:00Z');

/** What the engine decides about one event of a story, oldest first; `until` seconds after its beginning everything that was due is decided. */
function decisionsOn(event: string, policy: Omit<PushPolicyText, 'name'>, steps: readonly Written[], until?: number): Decision[] {
  const run = new LogRun(createEngine(), () => 'test');
  const at = (seconds: number) => START + seconds * 1_000;
  const outcomes: Outcome[] = [];
  let said: Said = { preferences: [] };
  const body = PushPolicy.parse({ name: 'test', ...policy });
  run.feed({ kind: 'policy', data: { version: 3, body }, id: 'policy', tenant: TEST_TENANT, user: EVERYBODY, seq: 0, at: START });
  for (const [place, written] of steps.entries()) {
    const step = TestStep.parse(written);
    const inputs = inputsOf(step, { start: START, seq: place + 1, outcomes, said });
    said = saidAfter(said, step);
    if (typeof inputs === 'string') throw new Error(inputs);
    for (const input of inputs) {
      const outcome = run.feed(input);
      if (outcome !== undefined) outcomes.push(outcome);
    }
  }
  if (until !== undefined) outcomes.push(...run.settle(at(until)));
  return outcomes.flatMap(({ decisions }) => decisions).filter((decision) => decision.event.id === event);
}

const e = (id: string, rest: Record<string, unknown> = {}) => ({ id, ...rest });
const everythingOff = [{ id: 'off', match: {}, value: 'off' }];
const quiet = { tz: 'UTC', start: '09:00', end: '12:00' };
const silence = { matchers: [{ label: 'case', op: '=', value: 'case-7' }], from: 0, to: 600 };
const inhibit: PushPolicyText['inhibit'] = [{ source: { types: ['down'] }, target: { types: ['noise'] }, equal: ['case'] }];

interface Case {
  readonly reason: ReasonCode;
  readonly outcome: string;
  readonly stage: Stage;
  readonly says: RegExp;
  readonly policy?: Omit<PushPolicyText, 'name'>;
  readonly steps: readonly Written[];
  readonly until?: number;
}

/** The acceptance cases in which something stands in the way of event `x`, each with the stage that must be named. */
const CASES: readonly Case[] = [
  { reason: 'expired', outcome: 'dropped', stage: 'validity', says: /expired/, steps: [{ at: 10, event: e('x', { expiresAt: 5 }) }] },
  {
    reason: 'not_authorized',
    outcome: 'dropped',
    stage: 'validity',
    says: /may not see/,
    steps: [
      { at: 0, access: { scopeKind: 'case', scopeRef: 'case-7', change: 'restricted' } },
      { at: 1, event: e('x', { caseId: 'case-7' }) },
    ],
  },
  {
    reason: 'opted_out',
    outcome: 'dropped',
    stage: 'preference',
    says: /preference/,
    steps: [
      { at: 0, preferences: everythingOff },
      { at: 1, event: e('x') },
    ],
  },
  { reason: 'muted', outcome: 'dropped', stage: 'preference', says: /muted/, steps: [{ at: 1, event: e('x'), hits: [{ level: 'muted', mutedUntil: 3600 }] }] },
  {
    reason: 'resolve_without_firing',
    outcome: 'dropped',
    stage: 'state',
    says: /nothing was sent/,
    steps: [{ at: 0, event: e('x', { state: 'resolved', dedupKey: 'k' }) }],
  },
  {
    reason: 'resolved_before_send',
    outcome: 'dropped',
    stage: 'throttle',
    says: /used up/,
    policy: { throttle: [{ n: 1, perSeconds: 3600 }] },
    steps: [
      { at: 0, event: e('first') },
      { at: 1, event: e('x', { state: 'firing', dedupKey: 'k' }) },
      { at: 2, event: e('up', { state: 'resolved', dedupKey: 'k' }) },
    ],
  },
  {
    reason: 'silenced',
    outcome: 'suppressed',
    stage: 'silence',
    says: /silence/,
    steps: [
      { at: 0, silence },
      { at: 1, event: e('x', { caseId: 'case-7' }) },
    ],
  },
  {
    reason: 'inhibited',
    outcome: 'suppressed',
    stage: 'inhibit',
    says: /inhibits/,
    policy: { inhibit },
    steps: [
      { at: 0, event: e('source', { type: 'down', caseId: 'c', severity: 'critical', state: 'firing', dedupKey: 's' }) },
      { at: 1, event: e('x', { type: 'noise', caseId: 'c' }) },
    ],
  },
  {
    reason: 'collapsed',
    outcome: 'suppressed',
    stage: 'collapse',
    says: /same key/,
    steps: [
      { at: 0, event: e('first', { dedupKey: 'k' }) },
      { at: 60, event: e('x', { dedupKey: 'k' }) },
    ],
  },
  {
    reason: 'low_value',
    outcome: 'inbox',
    stage: 'priority',
    says: /floor/,
    policy: { priority: { floor: 0.3 } },
    steps: [{ at: 0, event: e('x'), score: 0.1 }],
  },
  {
    reason: 'quiet',
    outcome: 'deferred',
    stage: 'quiet',
    says: /quiet hours/,
    steps: [
      { at: 0, quietHours: quiet },
      { at: 1, event: e('x') },
    ],
  },
  {
    reason: 'group',
    outcome: 'deferred',
    stage: 'aggregate',
    says: /group/,
    policy: { group: [{ mode: 'trailing', windowSeconds: 300 }] },
    steps: [{ at: 0, event: e('x') }],
  },
  {
    reason: 'throttled',
    outcome: 'deferred',
    stage: 'throttle',
    says: /used up/,
    policy: { throttle: [{ n: 1, perSeconds: 3600 }] },
    steps: [
      { at: 0, event: e('first') },
      { at: 1, event: e('x') },
    ],
  },
];

describe('an explanation', () => {
  it.each(CASES.map((one) => [one.reason, one] as const))('of %s names what stood in the way first, and what would have to change', (_name, one) => {
    const decisions = decisionsOn('x', one.policy ?? {}, one.steps, one.until);
    const { outcome, sentence, toBeSent } = explainDecisions(decisions);
    expect(decisions.at(-1)?.reason).toBe(one.reason);
    expect({ outcome, stage: toBeSent?.stage }).toEqual({ outcome: one.outcome, stage: one.stage });
    expect(toBeSent?.rule).toBeTruthy();
    expect(toBeSent?.sentence).toMatch(one.says);
    expect(sentence).toMatch(one.outcome === 'deferred' ? /^Not sent yet/ : one.outcome === 'inbox' ? /^In the inbox/ : /^Not sent/);
  });

  it('of what was sent at once has nothing to change', () => {
    const explained = explainDecisions(decisionsOn('x', {}, [{ at: 0, event: e('x') }]));
    expect(explained).toEqual({ outcome: 'sent', sentence: expect.stringMatching(/^Sent at 2026-01-05T10:00:00/) });
  });

  it('of what was sent late says what held it back', () => {
    const steps = [
      { at: 0, event: e('first') },
      { at: 1, event: e('x') },
    ];
    const explained = explainDecisions(decisionsOn('x', { throttle: [{ n: 1, perSeconds: 3600 }] }, steps, 4_000));
    expect(explained).toMatchObject({ outcome: 'sent', toBeSent: { stage: 'throttle' } });
    expect(explained.sentence).toMatch(/Sent at 2026-01-05T11:00:00.*after it had waited/);
  });

  it('of a repeated event counts the repeats and explains the first', () => {
    const steps = [0, 1, 2].map((at) => ({ at, event: e('x') }));
    const explained = explainDecisions(decisionsOn('x', {}, steps));
    expect(explained.outcome).toBe('sent');
    expect(explained.sentence).toMatch(/came 2 more times/);
  });
});
