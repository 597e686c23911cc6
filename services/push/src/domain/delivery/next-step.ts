/** One attempt as it was written down. */
export interface AttemptRecord {
  /** Empty where the channel needs no contact. */
  readonly contact: string;
  /** 1, 2, 3 … per (delivery, channel, level, contact). */
  readonly n: number;
  readonly status: 'sending' | 'sent' | 'failed' | 'parked' | 'skipped';
  readonly error?: string | undefined;
  /** Position of the command that the attempt was made for. */
  readonly commandSeq: number;
  /** Of one under way: how long nobody else may try. 0 or less: whoever made it is not coming back. */
  readonly leaseMs: number;
}

export type Step =
  | { readonly kind: 'done' }
  /** A dead letter already, or to become one. */
  | { readonly kind: 'parked'; readonly error: string }
  /** Somebody is sending at this moment. */
  | { readonly kind: 'busy'; readonly afterMs: number }
  /** `tried`: attempts for this command so far. `lapsed`: the attempt whose outcome was lost in a crash. */
  | { readonly kind: 'attempt'; readonly n: number; readonly tried: number; readonly lapsed?: number };

/** What to do about one contact, by what was done for it (oldest first). A redriven dead letter is another command and begins with new attempts. */
export function nextStep(history: readonly AttemptRecord[], commandSeq: number, maxAttempts: number): Step {
  const last = history.at(-1);
  if (last === undefined) return { kind: 'attempt', n: 1, tried: 0 };
  if (last.status === 'skipped' || history.some(({ status }) => status === 'sent')) return { kind: 'done' };
  if (last.status === 'sending' && last.leaseMs > 0) return { kind: 'busy', afterMs: last.leaseMs };
  const ofThis = history.filter((attempt) => attempt.commandSeq === commandSeq);
  const error = last.error ?? 'interrupted';
  if (ofThis.some(({ status }) => status === 'parked') || ofThis.length >= maxAttempts) return { kind: 'parked', error };
  return { kind: 'attempt', n: last.n + 1, tried: ofThis.length, ...(last.status === 'sending' && { lapsed: last.n }) };
}

/** What is known of the item that a command is about. */
export interface ItemMarks {
  readonly seen: boolean;
  /** The item, or of an escalation the one that it escalates. */
  readonly acknowledged: boolean;
  /** Milliseconds: when everything that it tells of has expired. */
  readonly expiresAt?: number | undefined;
  /** Places of those of its listed events that the user may not see (any more). */
  readonly forbidden: readonly number[];
}

export interface CommandTimes {
  readonly kind: string;
  /** Milliseconds. */
  readonly createdAt: number;
  readonly decidedAt: number;
}

/** Why nothing is to be sent any more; undefined: send. What is sent at once is sent even when somebody was quick to look; a follow-up is not. */
export function stopReason(command: CommandTimes, marks: ItemMarks, now: number): 'expired' | 'seen' | 'acknowledged' | undefined {
  if (marks.expiresAt !== undefined && marks.expiresAt <= now) return 'expired';
  const isFollowUp = command.decidedAt > command.createdAt;
  if (marks.acknowledged && (isFollowUp || command.kind === 'escalation')) return 'acknowledged';
  return isFollowUp && marks.seen ? 'seen' : undefined;
}
