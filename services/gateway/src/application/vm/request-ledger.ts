/** What a VM hears of its request. */
export type Answer =
  | { readonly result: unknown; readonly error: null }
  | { readonly result: null; readonly error: { readonly code: string; readonly message: string } };

/** A request in work. */
export interface Asked {
  /** Never rejects. */
  readonly answer: Promise<Answer>;
  /** Settles when the request need not come again: its answer is there, or the place where answers are kept knows of it. */
  readonly safe: Promise<unknown>;
  /** The answer is forgotten once it is there: whoever missed it asks again. */
  readonly brief?: boolean;
}

/** Answers are kept so long: a resend or a resume never runs a request twice. */
export const KEPT_MS = 300_000;
const MAX_KEPT = 1_000;

/**
 * What the VMs of one incarnation asked and this process has answered. Outlives connections: an answer that was lost with a socket is
 * repeated on the next one.
 */
export class RequestLedger {
  private readonly entries = new Map<string, Asked & { settled: Answer | undefined; readonly at: number }>();
  private open = 0;

  /** Requests without an answer. */
  get unanswered(): number {
    return this.open;
  }

  /** The request of this id; it is asked only when it was not before. */
  once(id: string, now: number, ask: () => Asked): Asked {
    for (const [known, { at, settled }] of this.entries) {
      // One that is in work holds up nobody behind it: answers may be large, and slow requests many.
      if (settled === undefined) continue;
      if (now - at < KEPT_MS && this.entries.size <= MAX_KEPT) break;
      this.entries.delete(known);
    }
    const before = this.entries.get(id);
    if (before !== undefined) return before;
    const entry = { ...ask(), settled: undefined as Answer | undefined, at: now };
    this.entries.set(id, entry);
    this.open += 1;
    void entry.answer.then((answer) => {
      this.open -= 1;
      entry.settled = answer;
      if (entry.brief) this.entries.delete(id);
    });
    return entry;
  }

  /** A request that was asked here, with its answer if that is there. */
  find(id: string): { readonly answer: Promise<Answer>; readonly settled: Answer | undefined } | undefined {
    return this.entries.get(id);
  }
}
