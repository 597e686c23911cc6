import type { ConfigurationOptions, RequestContext, ResponseContext } from '@kubernetes/client-node';
import { type Clock, type Deadline, fullJitter } from '@plexus/kernel';
import { ApiCallError, isTransient, readFailure } from './api-failure.js';

/** Longest wait for one answer; a call that hangs is tried again while the budget lasts. */
const ATTEMPT_MS = 4_000;
const BACKOFF = { baseMs: 200, capMs: 2_000 };

/** Promise of the client's own observable, which is no more than a box around one. */
interface Boxed<T> {
  toPromise(): Promise<T>;
}

/** Calls to the API server: each attempt has a time limit, each call a budget, within which 429, 5xx and lost connections are tried again. */
export class ApiCalls {
  /** Server time minus ours, by the Date of its answers; whole seconds. */
  private offsetMs = 0;
  private readonly closing = new AbortController();

  constructor(
    private readonly clock: Clock,
    private readonly box: <T>(value: T) => Boxed<T>,
    private readonly random: () => number = Math.random,
  ) {}

  /** The API server's clock: ages and deadlines of its objects are measured by nobody else's. */
  serverNow(): number {
    return this.clock.now() + this.offsetMs;
  }

  /** Every call that is going on ends. */
  close(): void {
    this.closing.abort();
  }

  /** Rejects with {@link ApiCallError}. `what` is for people. */
  async run<T>(
    deadline: Deadline,
    what: string,
    call: (options: ConfigurationOptions) => Promise<T>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await call(this.options(Math.min(ATTEMPT_MS, deadline.remainingMs()), headers));
      } catch (error) {
        const failure = readFailure(error);
        const waitMs = Math.max(failure.retryAfterMs ?? 0, fullJitter(attempt, { ...BACKOFF, random: this.random }));
        if (this.closing.signal.aborted || !isTransient(failure) || waitMs >= deadline.remainingMs()) throw new ApiCallError(what, failure);
        await this.clock.sleep(waitMs, this.closing.signal);
      }
    }
  }

  private options(limitMs: number, headers: Readonly<Record<string, string>>): ConfigurationOptions {
    const signal = AbortSignal.any([AbortSignal.timeout(Math.max(1, Math.ceil(limitMs))), this.closing.signal]);
    return {
      middleware: [
        {
          pre: (request: RequestContext) => {
            for (const [name, value] of Object.entries(headers)) request.setHeaderParam(name, value);
            request.setSignal(signal);
            return this.box(request);
          },
          post: (response: ResponseContext) => {
            const date = Date.parse(response.headers.date ?? '');
            if (!Number.isNaN(date)) this.noteServerTime(date);
            return this.box(response);
          },
        },
      ] as never,
      middlewareMergeStrategy: 'append',
    };
  }

  /** The header has lost its fraction of a second; differences below that are none. */
  private noteServerTime(date: number): void {
    const offset = date - this.clock.now();
    this.offsetMs = Math.abs(offset) <= 1_000 ? 0 : offset;
  }
}
