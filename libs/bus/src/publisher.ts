import type { Msg } from '@nats-io/transport-node';
import { contractName, HEADERS, plexusError } from '@plexus/contracts';
import { fullJitter, PlexusError, systemClock } from '@plexus/kernel';
import { telemetryIsRegistered } from '@plexus/telemetry';
import { encodeEvent } from './event-codec.js';
import { countPublished, spanOfPublish } from './instrumentation.js';
import { MAX_MESSAGE_BYTES, textOf } from './json-body.js';
import type { Link } from './link.js';
import type { EncodedEvent, EventInput, PubAck, PublishOptions, RawPublishOptions, StoredContract } from './publication.js';
import type { RequestMultiplexer } from './request-multiplexer.js';
import { OutgoingHeaders } from './wire-headers.js';

const DEFAULT_TIMEOUT_MS = 5_000;
/** A stream that elects a leader or a server that restarts answers nobody for a moment: the same publish is tried again within its deadline. */
const BACKOFF = { baseMs: 50, capMs: 1_000 };
/** Between two tries there is at least this much, in milliseconds. */
const SHORTEST_PAUSE_MS = 10;
/** One unanswered attempt of a deduplicated publish may take this long before it is repeated. */
const ATTEMPT_TIMEOUT_MS = 2_000;
const WRONG_LAST_SEQUENCE = new Set([10071, 10164]);
const NO_HEADERS = {};
const EXPECTED_LAST_SUBJECT_SEQUENCE = 'Nats-Expected-Last-Subject-Sequence';

interface AckBody {
  readonly stream?: unknown;
  readonly seq?: unknown;
  readonly duplicate?: unknown;
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string };
}

/** Appends to streams and waits for the receipt. */
export class Publisher {
  constructor(
    private readonly link: Link,
    private readonly multiplexer: RequestMultiplexer,
  ) {}

  encode<C extends StoredContract>(contract: C, event: EventInput<C>): EncodedEvent {
    return encodeEvent(contract, event, this.link.service);
  }

  /** See {@link Bus.publish}. */
  async publish<C extends StoredContract>(contract: C, event: EventInput<C>, options?: PublishOptions): Promise<PubAck> {
    if (telemetryIsRegistered()) return this.publishObserved(contract, event, options);
    return this.append(this.encode(contract, event), options);
  }

  private async publishObserved<C extends StoredContract>(contract: C, event: EventInput<C>, options?: PublishOptions): Promise<PubAck> {
    const name = contractName(contract);
    try {
      // Encoded within the span, so that the event carries it.
      const ack = await spanOfPublish(name, () => this.append(this.encode(contract, event), options));
      countPublished(name, ack.duplicate ? 'duplicate' : 'stored');
      return ack;
    } catch (error) {
      countPublished(name, 'error');
      throw error;
    }
  }

  /** See {@link Bus.publishRaw}. */
  publishRaw(subject: string, body: Uint8Array, options: RawPublishOptions = {}): Promise<PubAck> {
    try {
      return this.append({ subject, msgId: options.msgId, headers: options.headers ?? NO_HEADERS, body }, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private append(message: EncodedEvent, options: RawPublishOptions = {}): Promise<PubAck> {
    const { subject, body, msgId } = message;
    const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const headers = encodeHeaders(message, options.expectedLastSubjectSeq);
    const bytes = body.length + headers.size;
    if (bytes > MAX_MESSAGE_BYTES) throw plexusError('PAYLOAD_TOO_LARGE', { details: { bytes, maxBytes: MAX_MESSAGE_BYTES } });
    // Only what the stream can recognise as a repeat may be sent again when its fate is unknown.
    const repeatable = msgId !== undefined;
    const send = (remainingMs: number): Promise<Msg> => {
      const attemptMs = Math.max(1, repeatable ? Math.min(remainingMs, ATTEMPT_TIMEOUT_MS) : remainingMs);
      return this.multiplexer.request(subject, body, { headers: headers.toNats(), timeoutMs: attemptMs, signal, failOnDisconnect: repeatable });
    };
    const giveUpAt = performance.now() + timeoutMs;
    return send(timeoutMs).then(
      (answer) => readAck(answer, subject),
      async (error: unknown) => readAck(await tryAgain(send, error, repeatable, giveUpAt, signal), subject),
    );
  }
}

/** Repeats a publish that may be repeated, with pauses, until its time is over. */
async function tryAgain(
  send: (remainingMs: number) => Promise<Msg>,
  failure: unknown,
  repeatable: boolean,
  giveUpAt: number,
  signal: AbortSignal | undefined,
): Promise<Msg> {
  let lastFailure = failure;
  for (let attempt = 0; ; attempt += 1) {
    const remainingMs = giveUpAt - performance.now();
    if (!mayTryAgain(lastFailure, repeatable) || remainingMs <= 2 * SHORTEST_PAUSE_MS) throw lastFailure;
    // A long pause drawn near the end would give the rest of the time away: at most half of it is slept.
    const waitMs = Math.max(SHORTEST_PAUSE_MS, Math.min(fullJitter(attempt, BACKOFF), remainingMs / 2));
    await pause(waitMs, signal);
    try {
      return await send(giveUpAt - performance.now());
    } catch (error) {
      lastFailure = error;
    }
  }
}

function encodeHeaders({ headers, msgId }: EncodedEvent, expectedLastSubjectSeq: number | undefined): OutgoingHeaders {
  const encoded = new OutgoingHeaders().setAll(headers);
  if (msgId !== undefined) encoded.set(HEADERS.messageId, msgId);
  if (expectedLastSubjectSeq !== undefined) encoded.set(EXPECTED_LAST_SUBJECT_SEQUENCE, String(expectedLastSubjectSeq));
  return encoded;
}

/** NO_RESPONDERS means that nothing was stored; after TIMEOUT or a lost connection nobody knows. */
function mayTryAgain(error: unknown, repeatable: boolean): boolean {
  if (!PlexusError.isPlexusError(error)) return false;
  if (error.code === 'NO_RESPONDERS') return true;
  return repeatable && (error.code === 'TIMEOUT' || error.code === 'UNAVAILABLE');
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await systemClock.sleep(ms, signal);
  } catch (cause) {
    throw plexusError('CANCELLED', { cause });
  }
}

/** Reads a stream's receipt, or throws what the stream objected to. */
function readAck(answer: Msg, subject: string): PubAck {
  let ack: AckBody;
  try {
    ack = JSON.parse(textOf(answer.data)) as AckBody;
  } catch (cause) {
    throw plexusError('UNAVAILABLE', { message: 'Something other than a stream answered this publish.', details: { subject }, cause });
  }
  if (ack.error) throw ackError(ack.error, subject);
  if (typeof ack.stream !== 'string' || typeof ack.seq !== 'number') {
    throw plexusError('UNAVAILABLE', { message: 'Something other than a stream answered this publish.', details: { subject } });
  }
  return { stream: ack.stream, seq: ack.seq, duplicate: ack.duplicate === true };
}

function ackError(error: NonNullable<AckBody['error']>, subject: string): PlexusError {
  const details = { subject, problem: error.description };
  if (WRONG_LAST_SEQUENCE.has(error.err_code)) return plexusError('CONFLICT', { details });
  if (/maximum (messages|bytes) exceeded|maximum messages per subject/.test(error.description)) return plexusError('QUEUE_FULL', { details });
  if (/size exceeds maximum/.test(error.description)) return plexusError('PAYLOAD_TOO_LARGE', { details });
  return plexusError('UNAVAILABLE', { message: 'The stream did not store the message.', details });
}
