import type { ParsedSubject } from '@plexus/contracts';

/** One stored message, read without acknowledgement. */
export interface OrderedMessage {
  readonly stream: string;
  readonly subject: string;
  /** Absent when the subject is not one of ours. */
  readonly parsed?: ParsedSubject;
  readonly seq: number;
  /** When the stream stored the message: milliseconds since the epoch. */
  readonly time: number;
  readonly raw: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
  /** Parses the body. Throws INVALID_JSON. */
  json<T = unknown>(): T;
  /** Messages of this filter that were stored behind this one when it was sent. 0: the reader has caught up. */
  readonly pending: number;
}

export interface ReadOrderedOptions {
  /** One filter, or several: the narrowest pattern that covers them is read and the rest is dropped here. */
  readonly filter: string | readonly string[];
  readonly from: { readonly startSeq: number } | 'new' | 'all' | 'last';
}

export interface OrderedReadingOptions {
  /** Messages requested ahead of the handler. Default 256. */
  readonly prefetch?: number;
  /** Called when reading stops for good, for example because the handler threw. */
  readonly onError?: (error: unknown) => void;
}

/** A running ordered read. */
export interface OrderedReading {
  stop(): Promise<void>;
  /** Settles when the server has created the consumer for the first time, with the number of messages already stored for it. What is published from then on is seen. */
  readonly ready: Promise<number>;
}
