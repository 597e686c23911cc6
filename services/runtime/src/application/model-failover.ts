import { createHash } from 'node:crypto';
import { type Clock, fullJitter } from '@plexus/kernel';
import { classifyModelError, type ModelErrorReason } from '../domain/model-error.js';

/** A model that may answer, at its endpoint. */
export interface ModelCandidate {
  /** Same id, same fate: endpoint, key and model. See `candidateId`. */
  readonly id: string;
  /** For people: `provider/model`. */
  readonly name: string;
}

/** What to do after a failure. */
export type FailoverStep<C> =
  | { readonly kind: 'retry'; readonly reason: ModelErrorReason; readonly waitMs: number }
  | { readonly kind: 'next'; readonly reason: ModelErrorReason; readonly candidate: C }
  /** Only a shorter conversation helps: that is for the context window, which asks again. */
  | { readonly kind: 'shorten'; readonly limitTokens?: number }
  | { readonly kind: 'end'; readonly reason: ModelErrorReason; readonly code: string; readonly sentence: string };

interface Rule {
  /** Times that the same model is asked again while another one could be asked instead, and while there is none. */
  readonly retries: number;
  readonly retriesAlone: number;
  /** Whether another model can help at all. */
  readonly failover: boolean;
  /** How long it is passed over afterwards; 0: only after several failures in a row. */
  readonly restMs: number;
}

/** One table says it all: what waiting can cure is retried, what another endpoint can cure moves on, what is our own fault ends the run. */
export const FAILOVER_RULES: Readonly<Record<ModelErrorReason, Rule>> = Object.freeze({
  auth: { retries: 0, retriesAlone: 0, failover: true, restMs: 300_000 },
  billing: { retries: 0, retriesAlone: 0, failover: true, restMs: 300_000 },
  unknown_model: { retries: 0, retriesAlone: 0, failover: true, restMs: 300_000 },
  rate_limit: { retries: 1, retriesAlone: 3, failover: true, restMs: 0 },
  overloaded: { retries: 1, retriesAlone: 3, failover: true, restMs: 0 },
  unreachable: { retries: 1, retriesAlone: 3, failover: true, restMs: 0 },
  // It has already cost the whole wait once.
  timeout: { retries: 0, retriesAlone: 3, failover: true, restMs: 0 },
  context_overflow: { retries: 0, retriesAlone: 0, failover: true, restMs: 0 },
  bad_request: { retries: 0, retriesAlone: 0, failover: false, restMs: 0 },
  unknown: { retries: 0, retriesAlone: 0, failover: true, restMs: 0 },
});

/** Failures in a row after which a model is passed over, and for how long. */
const FAILURES_UNTIL_REST = 5;
const REST_MS = 30_000;
/** A longer wish than this is no wait for somebody who waits: the next model is asked, if there is one. */
const PATIENCE_MS = 2_000;
/** Longest wait for an endpoint's wish without another model. */
const MAX_WAIT_MS = 30_000;
const MAX_REMEMBERED = 256;

export interface ModelFailoverOptions {
  readonly clock: Clock;
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
  readonly random?: () => number;
}

interface Health {
  failures: number;
  /** On the monotonic clock. */
  restsUntil: number;
}

/** Names a candidate without holding its key. */
export function candidateId(parts: { readonly baseUrl: string; readonly model: string; readonly apiKey?: string | undefined }): string {
  return createHash('sha256')
    .update(JSON.stringify([parts.baseUrl, parts.model, parts.apiKey]))
    .digest('base64url')
    .slice(0, 22);
}

/** Which model is asked, and what follows a failure. One for the process: how endpoints fared is shared by all sessions. */
export class ModelFailover {
  readonly #health = new Map<string, Health>();

  constructor(private readonly options: ModelFailoverOptions) {}

  /** A turn's calls. Models that rest are asked last, in their order: when all rest, a person who waits is still worth a try. */
  begin<C extends ModelCandidate>(candidates: readonly [C, ...C[]]): FailoverRun<C> {
    const rested = candidates.filter(({ id }) => !this.rests(id));
    const order = [...rested, ...candidates.filter((one) => !rested.includes(one))] as [C, ...C[]];
    return new FailoverRun(order, this, this.options);
  }

  /** True while a model is passed over. */
  rests(id: string): boolean {
    return (this.#health.get(id)?.restsUntil ?? 0) > this.options.clock.monotonic();
  }

  /** @internal */
  noteSuccess(id: string): void {
    this.#health.delete(id);
  }

  /** @internal */
  noteFailure(id: string, reason: ModelErrorReason, retryAfterMs: number | undefined): void {
    // Neither says anything about the endpoint.
    if (reason === 'context_overflow' || reason === 'bad_request') return;
    const health = this.#healthOf(id);
    health.failures += 1;
    const wished = reason === 'rate_limit' ? Math.min(retryAfterMs ?? 0, FAILOVER_RULES.auth.restMs) : 0;
    const restMs = Math.max(FAILOVER_RULES[reason].restMs, wished, health.failures >= FAILURES_UNTIL_REST ? REST_MS : 0);
    this.#rest(health, restMs);
  }

  /** @internal The next steps of the same run go to the next model at once. */
  noteLeft(id: string): void {
    this.#rest(this.#healthOf(id), REST_MS);
  }

  #rest(health: Health, restMs: number): void {
    if (restMs > 0) health.restsUntil = Math.max(health.restsUntil, this.options.clock.monotonic() + restMs);
  }

  #healthOf(id: string): Health {
    const health = this.#health.get(id) ?? { failures: 0, restsUntil: 0 };
    // Moved to the end, so that the one forgotten is the one that failed longest ago.
    this.#health.delete(id);
    this.#health.set(id, health);
    const [oldest] = this.#health.keys();
    if (this.#health.size > MAX_REMEMBERED && oldest !== undefined) this.#health.delete(oldest);
    return health;
  }
}

/** The models of one turn, from the first to the last that is asked. Never goes back to one that it left. */
export class FailoverRun<C extends ModelCandidate> {
  #index = 0;
  #retries = 0;
  readonly #left: { readonly name: string; readonly reason: ModelErrorReason }[] = [];

  constructor(
    private readonly order: readonly [C, ...C[]],
    private readonly health: ModelFailover,
    private readonly options: ModelFailoverOptions,
  ) {}

  get current(): C {
    return this.order[this.#index] as C;
  }

  /** The model answered: its failures are forgotten, also for the next call of the same turn. */
  succeeded(): void {
    this.#retries = 0;
    this.health.noteSuccess(this.current.id);
  }

  /** `sentence` is for the person who waits, should the run end with this. */
  failed(error: unknown, sentence: string): FailoverStep<C> {
    const { reason, retryAfterMs, limitTokens } = classifyModelError(error, this.options.clock.now());
    if (reason === 'context_overflow') return { kind: 'shorten', ...(limitTokens !== undefined && { limitTokens }) };
    this.health.noteFailure(this.current.id, reason, retryAfterMs);
    const rule = FAILOVER_RULES[reason];
    const another = rule.failover && this.#index + 1 < this.order.length;
    const tooLong = another && (retryAfterMs ?? 0) > PATIENCE_MS;
    if (!tooLong && this.#retries < (another ? rule.retries : rule.retriesAlone)) {
      const { backoff = { baseMs: 500, capMs: 8_000 }, random } = this.options;
      const waitMs = Math.max(fullJitter(this.#retries, { ...backoff, ...(random && { random }) }), Math.min(retryAfterMs ?? 0, MAX_WAIT_MS));
      this.#retries += 1;
      return { kind: 'retry', reason, waitMs };
    }
    return another ? this.#moveOn(reason) : this.#end(reason, sentence);
  }

  #moveOn(reason: ModelErrorReason): FailoverStep<C> {
    this.#left.push({ name: this.current.name, reason });
    this.health.noteLeft(this.current.id);
    this.#index += 1;
    this.#retries = 0;
    return { kind: 'next', reason, candidate: this.current };
  }

  #end(reason: ModelErrorReason, sentence: string): FailoverStep<C> {
    const others = this.#left.map(({ name, reason: why }) => `“${name}” (${why})`);
    return {
      kind: 'end',
      reason,
      code: 'MODEL_UNAVAILABLE',
      sentence: others.length === 0 ? sentence : `${sentence} Asked before it without success: ${others.join(', ')}.`,
    };
  }
}
