import type { DataOf, InputOf, Principal, ReplyOf, ResponseOf, RpcContract } from '@plexus/contracts';
import type { Deadline } from '@plexus/kernel';

/** What a handler knows about one call beside its validated data. */
export interface RpcContext {
  readonly tenant: string;
  /** Who calls, from the verified token. */
  readonly principal: Principal;
  readonly subject: string;
  /** When the caller stops waiting. */
  readonly deadline?: Deadline;
  /** Aborted at the deadline and when the serving stops. */
  readonly signal: AbortSignal;
  readonly headers: ReadonlyMap<string, string>;
}

export type RpcHandler<C extends RpcContract> = (data: DataOf<C>, context: RpcContext) => Promise<ReplyOf<C>> | ReplyOf<C>;

export interface CallOptions {
  /** On whose behalf; a token is minted (and cached by the identity) for it. */
  readonly principal?: Principal;
  /** A token that was already minted; wins over `principal`. */
  readonly token?: string;
  /** Default: the contract's own limit. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ServeOptions {
  /** Calls handled at the same time; more are refused with QUEUE_FULL. Default 1,024. */
  readonly maxInFlight?: number;
  /** How long `stop()` waits for running handlers, in milliseconds. Default 5,000. */
  readonly drainTimeoutMs?: number;
}

/** One served contract. */
export interface Serving {
  /** Takes no further calls, waits for running handlers up to the drain timeout. */
  stop(): Promise<void>;
  readonly stats: ServingStats;
}

/** Counters in the terms of ADR-32. Times in nanoseconds. */
export interface ServingStats {
  readonly name: string;
  readonly subject: string;
  readonly requests: number;
  readonly errors: number;
  readonly lastError: string;
  readonly processingTimeNs: number;
}

export type { DataOf, InputOf, ReplyOf, ResponseOf };
