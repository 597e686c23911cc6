import { plexusError } from '@plexus/contracts';
import { type JsonLimits, parseJson, type PlexusError } from '@plexus/kernel';

/** NATS carries up to 1 MiB a message. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Left free for the headers that a parked message gets in addition. */
export const RESERVED_HEADER_BYTES = 4 * 1024;

/** Limits for every body that comes off the wire. */
export const WIRE_LIMITS: JsonLimits = { maxBytes: MAX_MESSAGE_BYTES };

/** Serialises a value as UTF-8 JSON. */
export function toJsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value) ?? 'null');
}

/** Text of bytes that are known to be valid: our own, or checked later. Faster than a TextDecoder for small bodies. */
export function textOf(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('utf8');
}

/** Parses a body within the wire limits. Throws the given error code. */
export function parseBody(bytes: Uint8Array, code: 'INVALID_JSON' | 'INVALID_EVENT' = 'INVALID_JSON'): unknown {
  const parsed = parseJson(bytes, WIRE_LIMITS);
  if (parsed.ok) return parsed.value;
  throw jsonError(parsed.error.code, parsed.error.message, code);
}

function jsonError(problem: string, message: string, code: 'INVALID_JSON' | 'INVALID_EVENT'): PlexusError {
  return plexusError(problem === 'too_large' ? 'PAYLOAD_TOO_LARGE' : code, { details: { problem, message } });
}

/** The same bytes as a Buffer, without a copy. What comes off the connection already is one. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
