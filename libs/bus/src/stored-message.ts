import type { StoredMessage } from './jetstream-api.js';
import { parseBody } from './json-body.js';
import type { OrderedMessage } from './ordered.js';
import { tryParseSubject } from './parking.js';
import { parseHeaderBlock } from './wire-headers.js';

/** A message fetched by sequence or subject, in the shape that ordered reading has. */
export function toOrderedMessage(stream: string, stored: StoredMessage): OrderedMessage {
  const raw = Buffer.from(stored.data ?? '', 'base64');
  const parsed = tryParseSubject(stored.subject);
  return {
    stream,
    subject: stored.subject,
    ...(parsed && { parsed }),
    seq: stored.seq,
    time: Date.parse(stored.time),
    raw,
    headers: stored.hdrs ? parseHeaderBlock(Buffer.from(stored.hdrs, 'base64').toString()) : new Map(),
    pending: 0,
    json: <T>() => parseBody(raw) as T,
  };
}
