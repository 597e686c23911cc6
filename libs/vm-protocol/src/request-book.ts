import type { MeshFrameOf } from './mesh-frames.js';

/** How a request ended, as the other side says it. */
export type RequestAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

export interface EndedRequest<T> {
  readonly id: string;
  readonly request: T;
  readonly answer: RequestAnswer;
}

type ResumeResults = MeshFrameOf<'resume_response'>['results'];

interface Entry<T> {
  readonly request: T;
  readonly dueAt: number;
  /** Number of the frame that carries it now; undefined = it waits for one. */
  fseq: number | undefined;
  /** The peer has its frame from an earlier connection, so that only its word says whether the request is known. */
  asked: boolean;
}

/**
 * The requests of one side that have no answer yet. A request is opened, travels as a reliable frame, and ends exactly once: by a response, by
 * what `resume_response` says of it, by its time limit, or because the caller gave up. Pure bookkeeping: times come in as arguments
 * (milliseconds of any monotonic clock), and nothing is sent by itself.
 */
export class RequestBook<T> {
  private readonly entries = new Map<string, Entry<T>>();

  /** `maxOpen`: what one `resume` frame can ask about. */
  constructor(private readonly maxOpen = 1_000) {}

  get size(): number {
    return this.entries.size;
  }

  /** When the next request is out of time; undefined = none is open. */
  get nextDueAt(): number | undefined {
    let next: number | undefined;
    for (const { dueAt } of this.entries.values()) if (next === undefined || dueAt < next) next = dueAt;
    return next;
  }

  /** False when too many are open, or one with this id is: nothing was taken. */
  open(id: string, request: T, dueAt: number): boolean {
    if (this.entries.size >= this.maxOpen || this.entries.has(id)) return false;
    this.entries.set(id, { request, dueAt, fseq: undefined, asked: false });
    return true;
  }

  isOpen(id: string): boolean {
    return this.entries.has(id);
  }

  /** The frame that carries it has its number. */
  sent(id: string, fseq: number): void {
    const entry = this.entries.get(id);
    if (entry) entry.fseq = fseq;
  }

  /**
   * A new connection to a peer that has all frames up to `peerReceived`: the ids to ask about. Those whose frame the peer lacks are not among
   * them: the frame itself goes out again.
   */
  resume(peerReceived: number): string[] {
    const ids: string[] = [];
    for (const [id, entry] of this.entries) {
      entry.asked = entry.fseq !== undefined && entry.fseq <= peerReceived;
      if (entry.asked) ids.push(id);
    }
    return ids;
  }

  /** A response. Undefined for one that nobody waits for (any more). */
  answered(id: string, answer: RequestAnswer): EndedRequest<T> | undefined {
    const entry = this.entries.get(id);
    if (!entry) return undefined;
    this.entries.delete(id);
    return { id, request: entry.request, answer };
  }

  /** What the peer knows of the requests it was asked about: some have ended, some have to be sent again under the same id, once. */
  resumed(results: ResumeResults): { readonly ended: readonly EndedRequest<T>[]; readonly again: readonly { readonly id: string; readonly request: T }[] } {
    const ended: EndedRequest<T>[] = [];
    const again: { id: string; request: T }[] = [];
    for (const [id, result] of Object.entries(results)) {
      const entry = this.entries.get(id);
      if (!entry) continue;
      const { request } = entry;
      if (result.status === 'completed' || result.status === 'failed') {
        this.entries.delete(id);
        ended.push({ id, request, answer: result.status === 'completed' ? { ok: true, result: result.data } : { ok: false, error: result.error } });
      } else if (result.status === 'not_found' && entry.asked) {
        entry.asked = false;
        entry.fseq = undefined;
        again.push({ id, request });
      }
    }
    return { ended, again };
  }

  /** The caller gave up. False when it has ended before. */
  withdraw(id: string): boolean {
    return this.entries.delete(id);
  }

  /** Ends and returns those whose time is up. */
  expire(now: number): { readonly id: string; readonly request: T }[] {
    const late: { id: string; request: T }[] = [];
    for (const [id, { dueAt, request }] of this.entries) {
      if (dueAt > now) continue;
      this.entries.delete(id);
      late.push({ id, request });
    }
    return late;
  }
}
