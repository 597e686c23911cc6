import { PushPolicy } from '@plexus/contracts';
import fc from 'fast-check';
import { createEngine } from '../../src/domain/engine/engine.js';
import type { Decision, Engine, LogBody, LogEvent, LogInput, Outcome, SharedState, UserState } from '../../src/domain/engine/types.js';
import { LogRun } from '../../src/domain/replay/run-log.js';
import { eventOf, hitOf, T0, TENANT, USER } from './scenario.js';

/** Random histories of one user whose moments lie around the edges of the windows that the policy has. */

export interface History {
  readonly policy: PushPolicy;
  readonly quiet: { readonly start: string; readonly end: string; readonly bypassPriority: 'P0' | 'P1' } | undefined;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly at: number;
  readonly body: LogBody;
}

export interface Told {
  readonly inputs: readonly LogInput[];
  readonly outcomes: readonly Outcome[];
  readonly decisions: readonly Decision[];
  readonly sends: Outcome['sends'][number][];
  readonly channels: Outcome['channels'][number][];
}

/** Windows of policies, in seconds, few enough that edges meet. */
const WINDOWS = [60, 120, 300] as const;
/** From one moment to the next, in milliseconds: at an edge, just before it, just behind it. */
const GAPS = [0, 0, 1, 500, 10_000, 59_999, 60_000, 60_001, 119_999, 120_000, 180_000, 299_999, 300_000, 300_001, 600_000] as const;
export const END = T0 + 40 * 86_400_000;

const match = fc.constantFrom({}, {}, { types: ['a'] }, { case: 'case-7' }, { severities: ['medium' as const] });
const window = fc.constantFrom(...WINDOWS);

const policy = fc
  .record({
    throttle: fc.array(fc.record({ match, n: fc.integer({ min: 1, max: 3 }), perSeconds: window }), { maxLength: 2 }),
    group: fc.array(
      fc.record({
        match,
        by: fc.constantFrom('type' as const, 'case' as const, 'user' as const),
        mode: fc.constantFrom('leading' as const, 'trailing' as const),
        windowSeconds: window,
        maxItems: fc.constantFrom(2, 4, 100),
      }),
      { maxLength: 1 },
    ),
    collapse: fc.record({ ttlSeconds: fc.constantFrom(0, 60, 600) }),
    priority: fc.record({ floor: fc.constantFrom(0, 0.3) }),
    storm: fc.record({ count: fc.constantFrom(2, 3), windowSeconds: fc.constant(60) }),
    inhibit: fc.array(
      fc.record({
        source: fc.constant({ severities: ['critical' as const, 'high' as const] }),
        target: fc.constant({ severities: ['low' as const, 'medium' as const] }),
        equal: fc.constantFrom(['case' as const], ['case' as const, 'topic' as const]),
        holdSeconds: fc.constantFrom(0, 0, 30),
      }),
      { maxLength: 1 },
    ),
    escalation: fc.constantFrom({}, { afterSeconds: [60, 300] }),
    channels: fc.constantFrom([], [{ plan: [{ channel: 'session' }, { channel: 'email', afterUnseenSeconds: 120 }] }]),
    sourceBudgetPerHour: fc.constantFrom(2, 50),
  })
  .map((body) => PushPolicy.parse({ name: 'random', ...body }));

const happening = fc.record({
  gap: fc.constantFrom(...GAPS),
  id: fc.integer({ min: 0, max: 60 }),
  type: fc.constantFrom('a', 'b'),
  severity: fc.constantFrom('low' as const, 'medium' as const, 'medium' as const, 'high' as const, 'critical' as const),
  caseId: fc.constantFrom(undefined, 'case-7', 'case-8'),
  topics: fc.constantFrom<string[]>([], ['t']),
  dedupKey: fc.constantFrom(undefined, undefined, 'k1', 'k2'),
  state: fc.constantFrom(undefined, undefined, 'firing' as const, 'resolved' as const),
  expiresIn: fc.constantFrom(undefined, undefined, undefined, 0, 60_000, 120_000, 301_000),
  level: fc.constantFrom('all' as const, 'all' as const, 'all' as const, 'digest' as const, 'critical_only' as const),
  score: fc.constantFrom(0.1, 1, 1, 1),
  agent: fc.constantFrom(undefined, undefined, 'agent-1'),
  says: fc.constantFrom('event', 'event', 'event', 'event', 'event', 'event', 'event', 'ack', 'seen', 'revoke', 'grant'),
});

export const histories = fc
  .record({
    policy,
    quiet: fc.constantFrom(undefined, undefined, ['10:02', '10:07'], ['10:00', '10:03'], ['10:05', '10:20']),
    bypass: fc.constantFrom('P0' as const, 'P1' as const),
    happenings: fc.array(happening, { minLength: 1, maxLength: 24 }),
  })
  .map(({ policy: body, quiet, bypass, happenings }): History => {
    let at = T0;
    const events = new Map<number, LogEvent>();
    const steps = happenings.map((one): Step => {
      at += one.gap;
      return { at, body: bodyOf(one, at, events) };
    });
    const [start, end] = quiet ?? [];
    return { policy: body, quiet: start === undefined || end === undefined ? undefined : { start, end, bypassPriority: bypass }, steps };
  });

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

function bodyOf(one: Happening, at: number, events: Map<number, LogEvent>): LogBody {
  const { says, id, level, score, agent, expiresIn, gap: _gap, caseId, dedupKey, state, ...plain } = one;
  if (says === 'ack') return { kind: 'ack', data: { deliveryId: `offset-${(id % 6) + 1}`, by: USER } };
  if (says === 'seen') return { kind: 'read', data: { deliveryIds: [], upTo: (id % 6) + 1, state: 'seen' } };
  if (says === 'revoke') return { kind: 'grant', data: { scopeKind: 'case', scopeRef: 'case-7', change: 'revoked' } };
  if (says === 'grant') return { kind: 'grant', data: { scopeKind: 'case', scopeRef: 'case-7', change: 'granted' } };
  const optional = {
    ...(caseId === undefined ? {} : { caseId }),
    ...(dedupKey === undefined ? {} : { dedupKey }),
    ...(state === undefined ? {} : { state }),
    ...(expiresIn === undefined ? {} : { expiresAt: at + expiresIn }),
  };
  // The same id again is the same event published once more.
  const event = events.get(id) ?? eventOf(`e${id}`, { ...plain, subject: `s${id % 3}`, ...optional });
  events.set(id, event);
  return { kind: 'candidate', data: { event, hits: [hitOf({ level })], score, ...(agent === undefined ? {} : { agent }) } };
}

/** The inputs of a history for a user, beginning with what holds for everybody. */
export function inputsOf({ policy: body, quiet, steps }: History, tenant = TENANT, user = USER): LogInput[] {
  const said = quiet === undefined ? {} : { quietHours: { tz: 'UTC', days: [0, 1, 2, 3, 4, 5, 6], ...quiet } };
  const bodies: (Step & { user?: string })[] = [
    { at: T0, body: { kind: 'policy', data: { version: 1, body } }, user: '_' },
    { at: T0, body: { kind: 'preference', data: { preferences: [], version: 1, ...said } } },
    ...steps,
  ];
  return bodies.map(({ at, body: what, user: whose = user }, place) => ({ ...what, id: `i${place}`, tenant, user: whose, seq: place + 1, at }));
}

/** Runs inputs and lets everything fall due; an acknowledgement of `offset-<n>` is of that delivery. */
export function tell(inputs: readonly LogInput[], run = new LogRun(createEngine(), () => 'epoch')): Told {
  const outcomes: Outcome[] = [];
  for (const input of inputs) {
    const outcome = run.feed(input);
    if (outcome !== undefined) outcomes.push(outcome);
  }
  outcomes.push(...run.settle(END));
  return summed(inputs, outcomes);
}

export function summed(inputs: readonly LogInput[], outcomes: readonly Outcome[]): Told {
  return {
    inputs,
    outcomes,
    decisions: outcomes.flatMap(({ decisions }) => decisions),
    sends: outcomes.flatMap(({ sends }) => sends),
    channels: outcomes.flatMap(({ channels }) => channels),
  };
}

/** An engine that forgets everything between two inputs but what can be written as JSON. */
export function forgetfulEngine(): Engine {
  const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
  return {
    emptyShared: () => copy(createEngine().emptyShared()),
    foldShared: (shared: SharedState, input) => copy(createEngine().foldShared(copy(shared), copy(input))),
    emptyUser: (epoch) => copy(createEngine().emptyUser(epoch)),
    reduce: (state: UserState, input, shared, known) => copy(createEngine().reduce(copy(state), copy(input), copy(shared), known)),
  };
}
