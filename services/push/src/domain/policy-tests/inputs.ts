import type { TestEvent, TestStep } from '@plexus/contracts';
import type { LogBody, LogEvent, LogHit, LogInput, Outcome, Preference, QuietHours } from '../engine/types.js';

export const TEST_TENANT = 'test';
export const TEST_USER = 'tester';
export const EVERYBODY = '_';

interface Place {
  /** Milliseconds of second 0. */
  readonly start: number;
  readonly seq: number;
  /** What came out so far: an acknowledgement names a delivery by an event that it holds. */
  readonly outcomes: readonly Outcome[];
  /** What the user said so far: preferences and quiet hours are one entry of the log, and two kinds of steps. */
  readonly said: Said;
}

export interface Said {
  readonly preferences: Preference[];
  readonly quietHours?: QuietHours;
}

/** What the user has said after a step. */
export function saidAfter(said: Said, { preferences, quietHours }: TestStep): Said {
  return { ...said, ...(preferences === undefined ? {} : { preferences }), ...(quietHours === undefined ? {} : { quietHours }) };
}

const EVERYTHING = { subscriptionId: 'sub_test', scopeKind: 'all', scopeRef: '', minSeverity: 'low', level: 'all' } as const;

/** A step of a test as entries of the log, or a sentence that says why it cannot be one. */
export function inputsOf(step: TestStep, place: Place): LogInput[] | string {
  const { start, seq, outcomes } = place;
  const at = start + ms(step.at);
  const input = (body: LogBody, user = TEST_USER): LogInput => ({ ...body, id: `step-${seq}`, tenant: TEST_TENANT, user, seq, at });
  if (step.event !== undefined) return [input({ kind: 'candidate', data: candidateOf(step, step.event, place) })];
  if (step.silence !== undefined) {
    const { matchers, from, to, includeCritical } = step.silence;
    const data = { id: `silence-${seq}`, matchers, from: start + ms(from), to: start + ms(to), includeCritical, removed: false };
    return [input({ kind: 'silence', data }, EVERYBODY)];
  }
  if (step.access !== undefined) {
    const { change } = step.access;
    return [input({ kind: 'grant', data: step.access }, change === 'granted' || change === 'revoked' ? TEST_USER : EVERYBODY)];
  }
  if (step.defaults !== undefined) return [input({ kind: 'preference', data: { preferences: step.defaults, version: seq } }, EVERYBODY)];
  const name = step.ack ?? step.seen;
  if (name === undefined) return [input({ kind: 'preference', data: { ...saidAfter(place.said, step), version: seq } })];
  const delivery = outcomes.flatMap(({ sends }) => sends).findLast(({ events }) => events.some(({ id }) => id === name));
  if (delivery === undefined) return `at ${step.at}: no delivery holds '${name}' yet`;
  if (step.ack !== undefined) return [input({ kind: 'ack', data: { deliveryId: delivery.deliveryId, by: TEST_USER } })];
  return [input({ kind: 'read', data: { deliveryIds: [delivery.deliveryId], state: 'seen' } })];
}

function candidateOf({ hits, score = 1, agent }: TestStep, event: TestEvent, { start }: Place): Extract<LogBody, { kind: 'candidate' }>['data'] {
  const made = (hits ?? [EVERYTHING]).map(
    ({ mutedUntil, ...hit }: NonNullable<TestStep['hits']>[number]): LogHit => ({
      ...hit,
      version: 1,
      method: 'rule',
      score,
      ...(mutedUntil === undefined ? {} : { mutedUntil: start + ms(mutedUntil) }),
    }),
  );
  return { event: eventOf(event, start), hits: made, score, ...(agent === undefined ? {} : { agent }) };
}

function eventOf({ expiresAt, ...event }: TestEvent, start: number): LogEvent {
  const key = JSON.stringify([event.origin, event.source, event.id]);
  const known = { ...event, key, occurredAt: new Date(start).toISOString() };
  return expiresAt === undefined ? known : { ...known, expiresAt: start + ms(expiresAt) };
}

function ms(seconds: number): number {
  return Math.round(seconds * 1_000);
}
