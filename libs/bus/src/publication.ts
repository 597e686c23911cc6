import type { CommandContract, EventContract, InboundContract, LogContract, InputOf } from '@plexus/contracts';

/** Contracts whose messages are stored in a stream. */
export type StoredContract = EventContract | CommandContract | InboundContract | LogContract;

/** One event as its publisher states it. */
export interface EventInput<C extends StoredContract> {
  readonly tenant: string;
  /** One string per key token of the contract; encoded by the subject builder. */
  readonly key: readonly string[];
  readonly data: InputOf<C>;
  /** CloudEvents id, unique together with the source. Default: a ULID. */
  readonly id?: string;
  /** Deduplication id in the stream. Default: SHA-256 of tenant, source and id. `null`: none. */
  readonly msgId?: string | null;
  /** CloudEvents source. Default: `/plexus/<service>`. */
  readonly source?: string;
  /** Source token of an `in` subject. Default: the contract's domain. */
  readonly sourceToken?: string;
  /** RFC 3339. Default: now. */
  readonly time?: string;
  /** CloudEvents extension attributes, for example `severity` or `dedupkey`. */
  readonly extensions?: Readonly<Record<string, string | number | boolean>>;
}

export interface PublishOptions {
  /** For the publish with all its retries. Default 5,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** An event ready to be sent, now or later from an outbox. */
export interface EncodedEvent {
  readonly subject: string;
  /** `undefined`: not deduplicated. */
  readonly msgId: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The stream's receipt. */
export interface PubAck {
  readonly stream: string;
  readonly seq: number;
  /** True when the stream already had a message with this id. */
  readonly duplicate: boolean;
}

export interface RawPublishOptions extends PublishOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly msgId?: string | undefined;
  /** The append fails with CONFLICT unless the last message on this subject has this sequence (0: there is none). */
  readonly expectedLastSubjectSeq?: number | undefined;
}
