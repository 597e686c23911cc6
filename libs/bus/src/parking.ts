import { buildSubject, encodeToken, HEADERS, NO_TENANT, type ParsedSubject, parseSubject, SubjectError } from '@plexus/contracts';
import type { Publisher } from './publisher.js';
import { headerText, type ReadHeaders } from './wire-headers.js';

export const DLQ_STREAM = 'PLEXUS_DLQ';

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
  const headers: Record<string, string> = {};
  for (const [name, value] of casualty.headers) {
    // Headers of the server and of the first publish would act again on this one.
    if (!name.startsWith('Nats-') && !name.startsWith('Plexus-Dlq-')) headers[name] = value;
  }
  headers[HEADERS.dlqReason] = headerText(casualty.reason);
  headers[HEADERS.dlqCode] = headerText(casualty.code, 64);
  headers[HEADERS.dlqAttempts] = String(casualty.attempts);
  headers[HEADERS.dlqSubject] = casualty.subject;
  headers[HEADERS.dlqStream] = casualty.stream;
  headers[HEADERS.dlqSequence] = String(casualty.seq);
  headers[HEADERS.dlqConsumer] = casualty.consumer;
  headers[HEADERS.dlqTime] = new Date().toISOString();
  const msgId = `dlq:${casualty.stream}:${casualty.seq}:${casualty.consumer}`;
  await publisher.publishRaw(dlqSubject(casualty), casualty.raw, { headers, msgId, timeoutMs });
}
