import { encodeToken, HEADERS, NO_TENANT, plexusError, STREAMS } from '@plexus/contracts';
import { timeout, ulid } from '@plexus/kernel';
import { z } from 'zod';
import type { Bus } from './bus.js';
import type { Delivery, Outcome } from './delivery.js';
import type { OrderedMessage } from './ordered.js';
import { bodyIsOmitted, DLQ_STREAM, ownHeaders, tryParseSubject } from './parking.js';
import { toOrderedMessage } from './stored-message.js';

const DEFAULT_LIMIT = 100;
const LIST_TIMEOUT_MS = 10_000;

/** One parked message. */
export interface ParkedMessage {
  /** Sequence in `PLEXUS_DLQ`; names the message in `showParked`, `redrive` and `drop`. */
  readonly seq: number;
  readonly subject: string;
  readonly tenant: string;
  readonly consumer: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly originSubject: string;
  readonly originStream: string;
  readonly originSeq: number;
  /** When it was parked, ISO 8601. */
  readonly parkedAt: string;
  readonly bytes: number;
}

/** A parked message with the original bytes. */
export interface ParkedDetail extends ParkedMessage {
  readonly body: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
}

export interface ListParkedOptions {
  readonly tenant?: string;
  readonly consumer?: string;
  /** The `seq` of the last page's last entry. */
  readonly after?: number;
  /** Default 100. */
  readonly limit?: number;
}

/** Parked messages, oldest first. Fails with UNAVAILABLE when the stream cannot be read. */
export async function listParked(bus: Bus, options: ListParkedOptions = {}): Promise<ParkedMessage[]> {
  const { tenant, consumer, after = 0, limit = DEFAULT_LIMIT } = options;
  const found: ParkedMessage[] = [];
  const filter = `plexus.dlq.${tenant ?? '*'}.*.${consumer === undefined ? '*' : encodeToken(consumer)}.v1.>`;
  let complete: () => void = () => {};
  const completed = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const reading = bus.readOrdered(DLQ_STREAM, { filter, from: { startSeq: after + 1 } }, (message) => {
    if (found.length < limit) found.push(toParked(message));
    if (found.length >= limit || message.pending === 0) complete();
  });
  try {
    void reading.ready.then((stored) => stored === 0 && complete());
    await timeout(completed, LIST_TIMEOUT_MS, { what: 'listing of dead letters', code: 'UNAVAILABLE' });
    return found;
  } finally {
    await reading.stop();
  }
}

/** One parked message with its original bytes; undefined when there is none (any more). */
export async function showParked(bus: Bus, seq: number): Promise<ParkedDetail | undefined> {
  const message = await bus.messageAt(DLQ_STREAM, seq);
  if (message === undefined) return undefined;
  const parked = toParked(message);
  if (!bodyIsOmitted(message.headers)) return { ...parked, body: message.raw, headers: message.headers };
  const origin = await bus.messageAt(parked.originStream, parked.originSeq);
  // The headers only say where it came from; what is there now must be that message, not one of somebody else.
  const same = origin !== undefined && origin.subject === parked.originSubject && isOfItsTenant(parked);
  return { ...parked, body: same ? origin.raw : message.raw, headers: same ? origin.headers : message.headers };
}

/**
 * Publishes the original bytes to the original subject under a new message id, and removes the parked one after the receipt. Doing it
 * again after a crash in between does not publish twice within the stream's window. NOT_FOUND when there is no such parked message, or
 * its origin is needed and gone.
 */
export async function redrive(bus: Bus, seq: number): Promise<{ readonly stream: string; readonly seq: number }> {
  const parked = await showParked(bus, seq);
  if (parked === undefined) throw plexusError('NOT_FOUND', { message: 'There is no such parked message.', details: { seq } });
  if (bodyIsOmitted(parked.headers)) {
    const { originStream, originSeq } = parked;
    throw plexusError('NOT_FOUND', { message: 'The body was not parked, and its stream does not have it any more.', details: { originStream, originSeq } });
  }
  if (!isOfItsTenant(parked)) {
    throw plexusError('TENANT_MISMATCH', { message: 'The message says that it came from another tenant: it is not sent there.', details: { seq } });
  }
  const ack = await publishAgain(bus, parked);
  await drop(bus, seq);
  return { stream: ack.stream, seq: ack.seq };
}

/**
 * Ids are known per stream, and whoever publishes chooses his own: a duplicate is only believed when the message that the stream has under it
 * is this one.
 */
async function publishAgain(bus: Bus, parked: ParkedDetail): Promise<{ readonly stream: string; readonly seq: number }> {
  const headers = ownHeaders(parked.headers);
  const ack = await bus.publishRaw(parked.originSubject, parked.body, { headers, msgId: `redrive:${parked.seq}` });
  if (!ack.duplicate) return ack;
  const stored = await bus.messageAt(ack.stream, ack.seq);
  // Gone from a work queue: it was worked on.
  if (stored === undefined || (stored.subject === parked.originSubject && Buffer.from(stored.raw).equals(parked.body))) return ack;
  return bus.publishRaw(parked.originSubject, parked.body, { headers, msgId: `redrive:${parked.seq}:${ulid()}` });
}

/** The tenant of a dead letter is that of its own subject; what its headers name must be the same one's. */
function isOfItsTenant(parked: ParkedMessage): boolean {
  return (tryParseSubject(parked.originSubject)?.tenant ?? NO_TENANT) === parked.tenant;
}

/** Removes a parked message for good. False when there is none. */
export function drop(bus: Bus, seq: number): Promise<boolean> {
  return bus.jetstream.deleteMessage(DLQ_STREAM, seq);
}

const Advisory = z.object({ stream: z.string().min(1), consumer: z.string().min(1), stream_seq: z.number().int().min(1), deliveries: z.number().int().min(0) });

/**
 * Handler for the consumer `routing-advisories` (format `json`): a worker that is killed on every attempt never ends its message, so the
 * server gives up on it and says so. The message is parked here, and removed where it would block a work queue.
 */
export function parkExhausted(bus: Bus): (delivery: Delivery) => Promise<Outcome> {
  return async (delivery) => {
    const advisory = Advisory.safeParse(delivery.data);
    if (!advisory.success) return { kind: 'park', code: 'INVALID_EVENT', reason: 'not an advisory about exhausted deliveries' };
    const { stream, consumer, stream_seq: seq, deliveries } = advisory.data;
    const definition = STREAMS.find(({ name }) => name === stream);
    // The dead letters of others, and our own, are nobody's to park again.
    if (definition === undefined || stream === DLQ_STREAM) return { kind: 'done' };
    const stored = await bus.jetstream.message(stream, { seq });
    // Acknowledged by a late worker, or aged out: nothing is left to save.
    if (stored === undefined) return { kind: 'done' };
    const message = toOrderedMessage(stream, stored);
    const reason = `delivered ${deliveries} times to ${consumer} without an ending`;
    await bus.park({
      subject: message.subject,
      raw: message.raw,
      headers: message.headers,
      stream,
      seq,
      consumer,
      attempts: deliveries,
      code: 'MAX_DELIVERIES',
      reason,
    });
    if (definition.retention === 'workqueue') await bus.jetstream.deleteMessage(stream, seq);
    return { kind: 'done' };
  };
}

function toParked(message: OrderedMessage): ParkedMessage {
  const header = (name: string): string => message.headers.get(name) ?? '';
  return {
    seq: message.seq,
    subject: message.subject,
    tenant: tryParseSubject(message.subject)?.tenant ?? '_',
    consumer: header(HEADERS.dlqConsumer),
    code: header(HEADERS.dlqCode),
    reason: header(HEADERS.dlqReason),
    attempts: Number(header(HEADERS.dlqAttempts)),
    originSubject: header(HEADERS.dlqSubject),
    originStream: header(HEADERS.dlqStream),
    originSeq: Number(header(HEADERS.dlqSequence)),
    parkedAt: header(HEADERS.dlqTime),
    bytes: message.raw.length,
  };
}
