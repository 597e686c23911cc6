import type { PolicyTest } from '@plexus/contracts';
import type { Outcome, Send } from '../engine/types.js';

type Expected = PolicyTest['expect'];
type ExpectedSend = NonNullable<Expected['sends']>[number];
type ExpectedDecision = NonNullable<Expected['decisions']>[number];

export interface Observed {
  /** Milliseconds of second 0. */
  readonly start: number;
  readonly outcomes: readonly Outcome[];
}

/** Compares what came out with what was expected; a sentence for each difference. */
export function expectations(expected: Expected, observed: Observed): string[] {
  const sends = observed.outcomes.flatMap((outcome) => outcome.sends);
  const interrupting = sends.filter(({ interrupt }) => interrupt);
  const problems: string[] = [];
  if (expected.interrupts !== undefined && expected.interrupts !== interrupting.length) {
    problems.push(`expected ${expected.interrupts} interrupts, got ${interrupting.length}: ${list(interrupting.map((send) => told(send, observed)))}`);
  }
  if (expected.inbox !== undefined && expected.inbox !== sends.length) problems.push(`expected ${expected.inbox} inbox items, got ${sends.length}`);
  if (expected.sends !== undefined) problems.push(...compareSends(expected.sends, chosen(expected.sends, sends), observed));
  for (const one of expected.decisions ?? []) problems.push(...compareDecision(one, observed));
  if (expected.channels !== undefined) problems.push(...compareChannels(expected.channels, observed, sends));
  return problems;
}

/** Interrupting messages are compared; where a test expects one that does not interrupt it speaks of all of them. */
function chosen(expected: readonly ExpectedSend[], sends: readonly Send[]): Send[] {
  return expected.some(({ interrupt }) => interrupt === false) ? [...sends] : sends.filter(({ interrupt }) => interrupt);
}

function compareSends(expected: readonly ExpectedSend[], actual: readonly Send[], observed: Observed): string[] {
  const problems: string[] = [];
  for (const [place, one] of expected.entries()) {
    const send = actual[place];
    if (send === undefined) problems.push(`message ${place + 1}: expected ${JSON.stringify(one)}, got none`);
    else if (!matches(one, send, observed)) problems.push(`message ${place + 1}: expected ${JSON.stringify(one)}, got ${told(send, observed)}`);
  }
  for (const send of actual.slice(expected.length)) problems.push(`not expected: ${told(send, observed)}`);
  return problems;
}

function matches({ at, events, count, kind, priority, interrupt, channels }: ExpectedSend, send: Send, { start }: Observed): boolean {
  return (
    start + Math.round(at * 1_000) === send.at &&
    (events === undefined || same(events, ids(send))) &&
    (count === undefined || count === send.events.length) &&
    (kind === undefined || kind === send.kind) &&
    (priority === undefined || priority === send.priority) &&
    (interrupt === undefined || interrupt === send.interrupt) &&
    (channels === undefined || same(channels, send.channels))
  );
}

function compareDecision({ event, verdict, reason, at }: ExpectedDecision, { start, outcomes }: Observed): string[] {
  const ends = outcomes.flatMap(({ decisions }) => decisions).filter((one) => one.event.id === event && one.terminal && one.reason !== 'escalated');
  // A repeat ends as a duplicate beside the event's own end: whoever expects that end does not mean the repeat.
  const own = ends.filter((end) => reason === 'duplicate_event' || end.reason !== 'duplicate_event');
  const end = reason === undefined ? own[0] : (own.find((one) => one.reason === reason) ?? own[0]);
  if (end === undefined) return [`event '${event}' did not end`];
  const right =
    (verdict ?? end.verdict) === end.verdict && (reason ?? end.reason) === end.reason && (at === undefined || start + Math.round(at * 1_000) === end.at);
  if (right) return [];
  return [
    `event '${event}': expected ${JSON.stringify({ verdict, reason, at })}, got ${JSON.stringify({ verdict: end.verdict, reason: end.reason, at: (end.at - start) / 1_000 })}`,
  ];
}

function compareChannels(expected: NonNullable<Expected['channels']>, { start, outcomes }: Observed, sends: readonly Send[]): string[] {
  const actual = outcomes.flatMap(({ channels }) => channels);
  const problems = expected.flatMap((one, place) => {
    const got = actual[place];
    const holds = got !== undefined && (sends.find(({ deliveryId }) => deliveryId === got.deliveryId)?.events.some(({ id }) => id === one.event) ?? false);
    if (got !== undefined && holds && got.channel === one.channel && got.at === start + Math.round(one.at * 1_000)) return [];
    const instead = got === undefined ? 'none' : `${got.channel} at ${(got.at - start) / 1_000}`;
    return [`channel ${place + 1}: expected ${one.channel} at ${one.at} for '${one.event}', got ${instead}`];
  });
  for (const { channel, at } of actual.slice(expected.length)) problems.push(`not expected: ${channel} at ${(at - start) / 1_000}`);
  return problems;
}

function told({ kind, at, events, ...send }: Send, { start }: Observed): string {
  const { priority, interrupt, channels } = send;
  const shown = events.slice(0, 10).map(({ id }) => id);
  return JSON.stringify({
    at: (at - start) / 1_000,
    kind,
    events: shown,
    ...(events.length > shown.length ? { count: events.length } : {}),
    priority,
    interrupt,
    channels,
  });
}

function ids({ events }: Send): string[] {
  return events.map(({ id }) => id);
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, place) => value === b[place]);
}

function list(texts: readonly string[]): string {
  return texts.slice(0, 20).join(', ');
}
