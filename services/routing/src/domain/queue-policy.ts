import type { routingContracts } from '@plexus/contracts';

export type QueueMode = routingContracts.QueueMode;

/** A session as a new message finds it. */
export interface Busyness {
  /** A run is on its way. */
  readonly active: boolean;
  /** Messages that wait behind it. */
  readonly waiting: number;
}

export type Admission =
  | { readonly kind: 'start' }
  | { readonly kind: 'wait' }
  /** Handed to the running run as well; it waits until that run says it took it. */
  | { readonly kind: 'steer' }
  /** What runs is stopped, what waits is dropped, this one is next. */
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'refuse' };

/** What becomes of a message by the queue mode of its session. A free session starts it under every mode. */
export function admitToQueue(mode: QueueMode, session: Busyness, limit: number): Admission {
  if (!session.active && session.waiting === 0) return { kind: 'start' };
  if (mode === 'interrupt') return { kind: 'interrupt' };
  if (session.waiting >= limit) return { kind: 'refuse' };
  return mode === 'steer' && session.active ? { kind: 'steer' } : { kind: 'wait' };
}

/** A message that waits, as far as gathering it needs to know. */
export interface Waiting {
  readonly mode: QueueMode;
  /** Messages are gathered only if they are answered at the same place under the same prompt. */
  readonly gatherKey: string;
  readonly at: number;
  readonly bytes: number;
}

const MAX_DEBOUNCES = 10;

/**
 * When the waiting messages (oldest first) may be handed out: gathered ones after `debounceMs` of quiet, though never later than ten times that after the
 * first, so that somebody who never stops writing is answered; others at once.
 */
export function releaseAt(waiting: readonly Waiting[], debounceMs: number): number {
  const gathered = gather(waiting, Number.POSITIVE_INFINITY);
  const [first] = gathered;
  if (first?.mode !== 'collect' || debounceMs === 0) return Number.NEGATIVE_INFINITY;
  const newest = gathered.reduce((latest, { at }) => Math.max(latest, at), first.at);
  return Math.min(newest + debounceMs, first.at + MAX_DEBOUNCES * debounceMs);
}

/** The messages at the head of the queue that become one run: all that are collected together and fit, else the first alone. */
export function gather<W extends Waiting>(waiting: readonly W[], maxBytes: number): W[] {
  const [first, ...rest] = waiting;
  if (!first) return [];
  const gathered = [first];
  let bytes = first.bytes;
  if (first.mode !== 'collect') return gathered;
  for (const next of rest) {
    bytes += next.bytes;
    if (next.mode !== 'collect' || next.gatherKey !== first.gatherKey || bytes > maxBytes) break;
    gathered.push(next);
  }
  return gathered;
}

/** Several messages as one. A single one stays as it was written. */
export function joinMessages(texts: readonly string[]): string {
  return texts.join('\n\n');
}
