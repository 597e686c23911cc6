import { emit } from './stages/emit.js';
import { preference } from './stages/preference.js';
import { quietFor } from './stages/quiet.js';
import { silence } from './stages/silence.js';
import { nextFreeOfAll } from './stages/throttle.js';
import { validity } from './stages/validity.js';
import type { ReasonCode, Send } from './types.js';
import { type Candidate, note, type Turn } from './turn.js';
import type { Buffer, Item } from './user-state.js';

interface Blocked {
  readonly candidate: Candidate;
  readonly until: number;
  readonly reason: ReasonCode;
}

/**
 * A buffer falls due, or is full. Its items are looked at again: what expired, may not be seen, is not wanted any more or was silenced meanwhile ends
 * here; what quiet hours or the throttle hold back stays, and the buffer is armed again; the rest goes out as one message.
 */
export function release(turn: Turn, buffer: Buffer): void {
  turn.keep('buffers', ({ key }) => key !== buffer.key);
  const candidates = stillWanted(turn, buffer);
  if (candidates.length === 0) return;
  const single = candidates.length === 1;
  if (buffer.kind === 'storm') {
    emit(turn, candidates, { kind: single ? 'notification' : 'storm', interrupt: true });
    return;
  }
  const { ready, blocked } = divide(turn, candidates);
  if (blocked.length > 0) armAgain(turn, buffer, blocked);
  if (ready.length > 0) emit(turn, ready, { ...how(buffer, ready), leadingKey: buffer.leading === true ? buffer.key : undefined });
}

/** The items that still count, each looked at by the stages that can change while it waits; the others end. */
export function stillWanted(turn: Turn, { items }: Buffer): Candidate[] {
  return items.flatMap((item) => {
    const candidate: Candidate = { ...item, wanted: item.hits, digest: false, trace: [] };
    const ending = validity(turn, candidate) ?? preference(turn, candidate);
    if (ending !== undefined) {
      turn.decide(candidate, 'dropped', ending.reason);
      return [];
    }
    // Who silences something while it waits means what waits as well.
    const hushed = silence(turn, candidate);
    if (hushed === undefined) return [candidate];
    if (hushed.end === 'inbox') emit(turn, [candidate], { kind: 'notification', interrupt: false, reason: hushed.reason });
    else turn.decide(candidate, 'suppressed', hushed.reason);
    return [];
  });
}

function divide(turn: Turn, candidates: readonly Candidate[]): { readonly ready: Candidate[]; readonly blocked: Blocked[] } {
  const ready: Candidate[] = [];
  const blocked: Blocked[] = [];
  const nextFree = nextFreeOfAll(turn);
  for (const candidate of candidates) {
    const quiet = quietFor(turn, candidate.priority);
    const until = quiet ?? nextFree(candidate.event);
    if (until === 0) ready.push(candidate);
    else blocked.push({ candidate, until, reason: quiet === undefined ? 'throttled' : 'quiet' });
  }
  return { ready, blocked };
}

function armAgain(turn: Turn, buffer: Buffer, blocked: readonly Blocked[]): void {
  const items = blocked.map(({ candidate, until, reason }): Item => {
    const { trace: _trace, wanted: _wanted, digest: _digest, ...item } = candidate;
    if (item.reason === reason) return item;
    note(candidate, reason === 'quiet' ? 'quiet' : 'throttle', 'still held back when it fell due', 'defer', { version: turn.policyVersion, input: { until } });
    turn.decide(candidate, 'deferred', reason, { until });
    return { ...item, reason };
  });
  const due = Math.min(...blocked.map(({ until }) => until));
  // Otherwise the same moment would come again and again, for ever.
  if (due <= turn.now) throw new Error(`${buffer.key} is held back until ${due}, which is not after ${turn.now}`);
  turn.own('buffers').push({ ...buffer, due, items });
}

function how(buffer: Buffer, ready: readonly Candidate[]): { kind: Send['kind']; interrupt: boolean; reason?: ReasonCode } {
  const kind = ready.length === 1 ? 'notification' : 'digest';
  if (buffer.kind !== 'budget') return { kind, interrupt: true };
  const interrupt = ready.some(({ priority }) => priority !== 'P3');
  return { kind: 'source_budget', interrupt, ...(interrupt ? {} : { reason: 'source_budget' }) };
}
