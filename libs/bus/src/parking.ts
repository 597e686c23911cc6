import { buildSubject, encodeToken, HEADERS, NO_TENANT, type ParsedSubject, parseSubject, SUBJECT_PREFIX, SubjectError } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { Publisher } from './publisher.js';
import { headerText, type ReadHeaders } from './wire-headers.js';

export const DLQ_STREAM = 'PLEXUS_DLQ';
const OURS = `${SUBJECT_PREFIX}.`;
const BODY = 'Plexus-Dlq-Body';
const OMITTED = 'omitted';
const NO_BODY = new Uint8Array(0);

/** A message that nobody can handle, and why. */
export interface Casualty {
  readonly subject: string;
  readonly raw: Uint8Array;
  readonly headers: ReadHeaders;
  readonly stream: string;
  readonly seq: number;
  readonly consumer: string;
  readonly attempts: number;
  readonly code: string;
  readonly reason: string;
}

/** Reads a subject, or undefined when it is not one of ours. */
export function tryParseSubject(subject: string): ParsedSubject | undefined {
  // Every read of a bucket comes by here with a subject of the bucket: an error would cost more than the rest of it.
  if (!subject.startsWith(OURS)) return undefined;
  try {
    return parseSubject(subject);
  } catch (error) {
    if (error instanceof SubjectError) return undefined;
    throw error;
  }
}

/** `plexus.dlq.<tenant>.<domain>.<consumer>.v1.<key…>`; subjects that are not ours go to the domain `unknown` with their sequence as key. */
export function dlqSubject(casualty: Pick<Casualty, 'subject' | 'seq' | 'consumer'>): string {
  const parsed = tryParseSubject(casualty.subject);
  return buildSubject({
    kind: 'dlq',
    tenant: parsed?.tenant ?? NO_TENANT,
    domain: parsed?.domain ?? 'unknown',
    name: encodeToken(casualty.consumer),
    version: 1,
    key: parsed && parsed.key.length > 0 ? parsed.key : [String(casualty.seq)],
  });
}

/**
 * Stores the original bytes in the dead letter stream and waits for the receipt. Parking the same message twice within the stream's
 * window stores it once. Rejects when the stream cannot be reached: the message must then not be acknowledged.
 */
export async function parkCasualty(publisher: Publisher, casualty: Casualty, timeoutMs = 10_000): Promise<void> {
  const msgId = `dlq:${casualty.stream}:${casualty.seq}:${casualty.consumer}`;
  const headers = { ...ownHeaders(casualty.headers), ...dlqHeaders(casualty) };
  try {
    await publisher.publishRaw(dlqSubject(casualty), casualty.raw, { headers, msgId, timeoutMs });
  } catch (error) {
    if (!mayOmitBody(error, casualty)) throw error;
    const omitted = { ...dlqHeaders(casualty), [BODY]: OMITTED };
    await publisher.publishRaw(dlqSubject(casualty), NO_BODY, { headers: omitted, msgId, timeoutMs });
  }
}

/**
 * A foreign event may fill a message to the last byte and leave no room for the headers of a dead letter. Its stream keeps it after this
 * consumer is done with it, so the dead letter can point there; a work queue would not.
 */
function mayOmitBody(error: unknown, casualty: Casualty): boolean {
  const tooLarge = PlexusError.isPlexusError(error) && error.code === 'PAYLOAD_TOO_LARGE';
  return tooLarge && tryParseSubject(casualty.subject)?.kind !== 'cmd';
}

/** True when a dead letter holds no body but points to its origin. */
export function bodyIsOmitted(headers: ReadHeaders): boolean {
  return headers.get(BODY) === OMITTED;
}

/** Headers that a message keeps when it is parked or redriven; those of the server and of dead letters would act again. */
export function ownHeaders(headers: ReadHeaders): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => !name.startsWith('Nats-') && !name.startsWith('Plexus-Dlq-')));
}

function dlqHeaders(casualty: Casualty): Record<string, string> {
  return {
    [HEADERS.dlqReason]: headerText(casualty.reason),
    [HEADERS.dlqCode]: headerText(casualty.code, 64),
    [HEADERS.dlqAttempts]: String(casualty.attempts),
    [HEADERS.dlqSubject]: casualty.subject,
    [HEADERS.dlqStream]: casualty.stream,
    [HEADERS.dlqSequence]: String(casualty.seq),
    [HEADERS.dlqConsumer]: casualty.consumer,
    [HEADERS.dlqTime]: new Date().toISOString(),
  };
}
