import { randomBytes } from 'node:crypto';
import { AbortedError, type Clock, PlexusError, type Timer } from '@plexus/kernel';
import { type MeshFrameOf, type RequestAnswer, RequestBook } from '@plexus/vm-protocol/link';
import type { Log } from './ports.js';
import type { Uplink } from './uplink.js';

/** What a request of a session may say beside its parameters. */
export interface MeshRequestOptions {
  /** Ends the request with `AbortedError`. */
  readonly signal?: AbortSignal;
  /** Milliseconds until `TIMEOUT`; else what the method has, 60 s for most. */
  readonly timeoutMs?: number;
  /** The span that asks. */
  readonly traceparent?: string;
}

/** What sessions ask of the mesh and tell it, beside the events of their runs. Survives cut sockets and replaced gateways. */
export interface MeshCalls {
  /**
   * Asks the mesh and resolves with the result. Sent again under the same id when the mesh does not know it after a reconnect.
   * Rejects with a `PlexusError` that carries the answer's code, `TIMEOUT` when none came in time, or `AbortedError`. Leaves nothing behind.
   */
  request(sessionId: string, method: string, params: Record<string, unknown>, options?: MeshRequestOptions): Promise<unknown>;
  /**
   * Tells the mesh without an answer: `usage_report`, `audit_log`, `memory_write`, `snapshot_sync`, `evolution_submit`. Kept in the journal
   * until the mesh has it, as an event is. Resolves when it is there; waits while the buffer is full.
   */
  tell(sessionId: string, method: string, params: Record<string, unknown>): Promise<void>;
}

/** What the link needs to know of requests. */
export interface RequestLink {
  /** A new connection to a mesh that has all frames up to `meshReceived`: the ids that `resume` asks about. */
  resume(meshReceived: number): string[];
  resumed(frame: MeshFrameOf<'resume_response'>): void;
  answered(frame: MeshFrameOf<'response'>): void;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** What travels between the services of the mesh has a limit; a call beyond this would be refused there, after the way. */
const MAX_CALL_BYTES = 512 * 1024;
/** Codes after which the same request may succeed later. */
const RETRYABLE = new Set(['UNAVAILABLE', 'NO_RESPONDERS', 'TIMEOUT', 'RATE_LIMITED', 'QUOTA_EXCEEDED', 'QUEUE_FULL', 'INTERNAL']);

interface Asked {
  readonly frame: { readonly type: 'request'; readonly id: string; readonly session_id: string; readonly method: string; readonly params: object };
  readonly limitMs: number;
  /** Aborts when the request has ended: one that still waits for room in the buffer is not sent any more. */
  readonly over: AbortController;
  readonly end: (answer: RequestAnswer) => void;
  readonly fail: (error: unknown) => void;
}

export interface UplinkCallsOptions {
  readonly uplink: Uplink;
  readonly clock: Clock;
  readonly log: Log;
  /** Time limits in milliseconds by method, where 60 s do not fit. */
  readonly timeouts?: Readonly<Record<string, number>>;
}

/** Calls as frames of the uplink. Their answers come from whichever connection is there then. */
export class UplinkCalls implements MeshCalls, RequestLink {
  private readonly book = new RequestBook<Asked>();
  /** Of this process alone: a restarted one sends frames of its predecessor again, and their answers are none of its own. */
  private readonly prefix = randomBytes(6).toString('hex');
  private count = 0;
  private timer: Timer | undefined;

  constructor(private readonly options: UplinkCallsOptions) {}

  /** Requests without an answer. */
  get open(): number {
    return this.book.size;
  }

  async request(sessionId: string, method: string, params: Record<string, unknown>, options: MeshRequestOptions = {}): Promise<unknown> {
    const { signal, traceparent } = options;
    if (signal?.aborted) throw AbortedError.from(signal);
    checkSize(method, params);
    const limitMs = options.timeoutMs ?? this.options.timeouts?.[method] ?? DEFAULT_TIMEOUT_MS;
    const id = `${this.prefix}-${++this.count}`;
    const frame = { type: 'request', id, session_id: sessionId, method, params, ...(traceparent !== undefined && { traceparent }) } as const;
    const over = new AbortController();
    let onAbort = (): void => undefined;
    const answer = new Promise<unknown>((resolve, reject) => {
      const asked: Asked = { frame, limitMs, over, end: (given) => (given.ok ? resolve(given.result) : reject(refusal(given.error))), fail: reject };
      onAbort = () => {
        if (this.book.withdraw(id)) reject(AbortedError.from(signal));
      };
      if (this.book.open(id, asked, this.options.clock.monotonic() + limitMs)) void this.send(asked);
      else reject(tooMany());
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    this.arm();
    try {
      return await answer;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      over.abort();
      this.arm();
    }
  }

  async tell(sessionId: string, method: string, params: Record<string, unknown>): Promise<void> {
    checkSize(method, params);
    await this.options.uplink.post({ type: 'fire_and_forget', session_id: sessionId, method, params });
  }

  resume(meshReceived: number): string[] {
    return this.book.resume(meshReceived);
  }

  resumed({ results }: MeshFrameOf<'resume_response'>): void {
    const { ended, again } = this.book.resumed(results);
    for (const { request, answer } of ended) request.end(answer);
    for (const { request } of again) void this.send(request);
    if (again.length > 0) this.options.log('info', 'requests sent again: the mesh does not know them', { count: again.length });
  }

  answered(frame: MeshFrameOf<'response'>): void {
    const { id, result, error } = frame;
    const ended = this.book.answered(id, error ? { ok: false, error } : { ok: true, result });
    if (ended) ended.request.end(ended.answer);
    else this.options.log('debug', 'response that nobody waits for', { id });
  }

  /** The process ends: whoever still waits is told so. */
  close(): void {
    for (const { request } of this.book.expire(Number.POSITIVE_INFINITY)) request.fail(new AbortedError('the runtime stops'));
    this.arm();
  }

  private async send(asked: Asked): Promise<void> {
    const { id } = asked.frame;
    try {
      this.book.sent(id, await this.options.uplink.post(asked.frame, { signal: asked.over.signal }));
    } catch (error) {
      // It ended while it waited for room, or it cannot be written as JSON.
      if (this.book.withdraw(id)) asked.fail(error);
    }
  }

  /** One timer for the request that is out of time next. */
  private arm(): void {
    const { clock } = this.options;
    this.timer?.cancel();
    this.timer = undefined;
    const dueAt = this.book.nextDueAt;
    if (dueAt === undefined) return;
    this.timer = clock.setTimeout(
      () => {
        for (const { request } of this.book.expire(clock.monotonic())) request.fail(tooLate(request));
        this.arm();
      },
      Math.max(0, dueAt - clock.monotonic()),
    );
  }
}

function checkSize(method: string, params: object): void {
  const bytes = Buffer.byteLength(JSON.stringify(params));
  if (bytes <= MAX_CALL_BYTES) return;
  throw new PlexusError({
    code: 'PAYLOAD_TOO_LARGE',
    message: `The parameters of ${method} have ${bytes} bytes; ${MAX_CALL_BYTES} are allowed.`,
    status: 413,
    details: { bytes, maxBytes: MAX_CALL_BYTES },
  });
}

function refusal({ code, message }: { readonly code: string; readonly message: string }): PlexusError {
  return new PlexusError({ code, message, retryable: RETRYABLE.has(code) });
}

function tooMany(): PlexusError {
  return new PlexusError({
    code: 'QUEUE_FULL',
    message: 'Too many requests of this machine have no answer yet; try again later.',
    retryable: true,
    status: 429,
  });
}

function tooLate({ frame, limitMs }: Asked): PlexusError {
  return new PlexusError({
    code: 'TIMEOUT',
    message: `The mesh did not answer ${frame.method} within ${limitMs} ms; it may still have taken effect.`,
    retryable: true,
    status: 504,
    details: { method: frame.method, timeoutMs: limitMs },
  });
}
