import type { Msg } from '@nats-io/transport-node';
import { contractName, HEADERS, plexusError } from '@plexus/contracts';
import { fullJitter, PlexusError, systemClock } from '@plexus/kernel';
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
/** One unanswered attempt of a deduplicated publish may take this long before it is repeated. */
const ATTEMPT_TIMEOUT_MS = 2_000;
const WRONG_LAST_SEQUENCE = new Set([10071, 10164]);
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
  async publish<C extends StoredContract>(contract: C, event: EventInput<C>, options: PublishOptions = {}): Promise<PubAck> {
    const name = contractName(contract);
    try {
      const ack = await spanOfPublish(name, () => {
        const { subject, msgId, headers, body } = this.encode(contract, event);
        return this.publishRaw(subject, body, { ...options, headers, msgId });
      });
      countPublished(name, ack.duplicate ? 'duplicate' : 'stored');
      return ack;
    } catch (error) {
      countPublished(name, 'error');
      throw error;
    }
  }

  /** See {@link Bus.publishRaw}. */
  async publishRaw(subject: string, body: Uint8Array, options: RawPublishOptions = {}): Promise<PubAck> {
    const headers = encodeHeaders(options);
    const bytes = body.length + headers.size;
    if (bytes > MAX_MESSAGE_BYTES) throw plexusError('PAYLOAD_TOO_LARGE', { details: { bytes, maxBytes: MAX_MESSAGE_BYTES } });
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    // Only what the stream can recognise as a repeat may be sent again when its fate is unknown.
    const repeatable = options.msgId !== undefined;
    const giveUpAt = performance.now() + timeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      const remainingMs = giveUpAt - performance.now();
      try {
        const answer = await this.multiplexer.request(subject, body, {
          headers: headers.toNats(),
          timeoutMs: Math.max(1, repeatable ? Math.min(remainingMs, ATTEMPT_TIMEOUT_MS) : remainingMs),
          signal: options.signal,
          failOnDisconnect: repeatable,
        });
        return readAck(answer, subject);
      } catch (error) {
        const waitMs = Math.max(10, fullJitter(attempt, BACKOFF));
        if (!mayTryAgain(error, repeatable) || performance.now() + waitMs >= giveUpAt) throw error;
        await pause(waitMs, options.signal);
      }
    }
  }
}

function encodeHeaders(options: RawPublishOptions): OutgoingHeaders {
  const headers = new OutgoingHeaders().setAll(options.headers);
  if (options.msgId !== undefined) headers.set(HEADERS.messageId, options.msgId);
  if (options.expectedLastSubjectSeq !== undefined) headers.setKnown(EXPECTED_LAST_SUBJECT_SEQUENCE, String(options.expectedLastSubjectSeq));
  return headers;
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
