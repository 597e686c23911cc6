import type { CloudEventOf, ParsedSubject } from '@plexus/contracts';

/** One message handed to a consumer's handler. It may be a repeat: use the event id (or a key of your own) as the idempotency key. */
export interface Delivery<T = unknown> {
  readonly subject: string;
  /** Absent when the subject is not one of ours (advisories). */
  readonly parsed?: ParsedSubject;
  /** Tenant token of the subject; `_` where there is none. */
  readonly tenant: string;
  /** Decoded key tokens of the subject. */
  readonly key: readonly string[];
  /** The CloudEvent; absent for consumers that decode `raw` or `json`. */
  readonly event?: CloudEventOf<T>;
  /** `event.data`, or the parsed body for `json`, or undefined for `raw`. Validated when the consumer was given contracts. */
  readonly data: T;
  readonly raw: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
  /** Stream sequence. */
  readonly seq: number;
  /** When the stream stored the message: milliseconds since the epoch. */
  readonly time: number;
  /** 1 for the first delivery. */
  readonly attempt: number;
  /** Tells the server that work goes on. The bus does this by itself every third of the ack wait; call it only before blocking the event loop. */
  working(): void;
  /** Aborted when the consumption stops waiting for this handler. */
  readonly signal: AbortSignal;
}

/** The three endings of a delivery. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'retry'; readonly afterMs: number; readonly reason: string }
  | { readonly kind: 'park'; readonly code: string; readonly reason: string };

/** How the body is read before the handler sees it: `event` parks what is no CloudEvent; `json` parks what is no JSON; `raw` passes bytes. */
export type DeliveryFormat = 'event' | 'json' | 'raw';
