import { z } from 'zod';

/**
 * The three frames of the OpenClaw Gateway protocol, wire v4. What we read is tolerant (unknown keys are stripped, `null` counts as absent);
 * what we write is closed, and is built only by the functions below, because real clients silently drop a frame with `error: null`.
 */

/** The protocol version that we speak. */
export const PROTOCOL_VERSION = 4;
/** Probes and node hosts may still introduce themselves with this one. */
export const MINIMUM_PROBE_PROTOCOL_VERSION = 3;

/** What failed. `code` and `details.code` are for programs, `message` is for people. */
export interface ErrorShape {
  code: string;
  message: string;
  details?: Record<string, unknown>;
  retryable?: boolean;
  retryAfterMs?: number;
}

export const RequestFrame = z.object({
  type: z.literal('req'),
  id: z.string().min(1).max(256),
  method: z.string().min(1).max(128),
  params: z.unknown().optional(),
  traceparent: z.string().max(128).nullish(),
});
export type RequestFrame = z.output<typeof RequestFrame>;

/** An error as other gateways may write it: `null` counts as absent. */
const TolerantError = z.object({
  code: z.string().min(1),
  message: z.string().min(1),
  details: z.record(z.string(), z.unknown()).nullish(),
  retryable: z.boolean().nullish(),
  retryAfterMs: z.number().int().min(0).nullish(),
});

export const ResponseFrame = z.object({
  type: z.literal('res'),
  id: z.string().min(1),
  ok: z.boolean(),
  payload: z.unknown().optional(),
  error: TolerantError.nullish(),
});
export type ResponseFrame = z.output<typeof ResponseFrame>;

/** The error of a failed response; one that came without an error counts as UNAVAILABLE. */
export function errorOf(frame: ResponseFrame): ErrorShape {
  const { code = 'UNAVAILABLE', message = 'the request failed', details, retryable, retryAfterMs } = frame.error ?? {};
  return {
    code,
    message,
    ...(details && { details }),
    ...(typeof retryable === 'boolean' && { retryable }),
    ...(typeof retryAfterMs === 'number' && { retryAfterMs }),
  };
}

export const EventFrame = z.object({
  type: z.literal('event'),
  event: z.string().min(1),
  payload: z.unknown().optional(),
  seq: z.number().int().min(0).nullish(),
});
export type EventFrame = z.output<typeof EventFrame>;

/** What a client may receive. */
export const ServerFrame = z.discriminatedUnion('type', [ResponseFrame, EventFrame]);
export type ServerFrame = z.output<typeof ServerFrame>;

/** How often presence and health have changed since the gateway started. */
export interface StateVersion {
  readonly presence: number;
  readonly health: number;
}

const StrictError = z.strictObject({
  code: z.string().min(1),
  message: z.string().min(1),
  details: z.record(z.string(), z.unknown()).optional(),
  retryable: z.boolean().optional(),
  retryAfterMs: z.number().int().min(0).optional(),
});

/** The closed schemas that real clients apply; our tests hold every frame that we send against them. */
export const StrictServerFrame = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('res'), id: z.string().min(1), ok: z.boolean(), payload: z.unknown().optional(), error: StrictError.optional() }),
  z.strictObject({
    type: z.literal('event'),
    event: z.string().min(1),
    payload: z.unknown().optional(),
    seq: z.number().int().min(0).optional(),
    stateVersion: z.strictObject({ presence: z.number().int().min(0), health: z.number().int().min(0) }).optional(),
  }),
]);

/** A successful response as text. An undefined payload leaves the key out. */
export function encodeResult(id: string, payload: unknown): string {
  const body = JSON.stringify(payload);
  return body === undefined ? `{"type":"res","id":${JSON.stringify(id)},"ok":true}` : encodeResultJson(id, body);
}

/** A successful response as text, of a payload that is JSON already. */
export function encodeResultJson(id: string, payload: string): string {
  return `{"type":"res","id":${JSON.stringify(id)},"ok":true,"payload":${payload}}`;
}

/** A failed response as text. Code and message are never empty, because clients drop such a frame and let the request time out. */
export function encodeFailure(id: string, error: ErrorShape): string {
  const { code, message, details, retryable, retryAfterMs } = error;
  return JSON.stringify({
    type: 'res',
    id,
    ok: false,
    error: {
      code: code || 'UNAVAILABLE',
      message: message || code || 'failed',
      details,
      retryable,
      retryAfterMs: retryAfterMs === undefined ? undefined : Math.max(0, Math.ceil(retryAfterMs)),
    },
  });
}

/**
 * The part of an event frame that is the same for every receiver, without its end: {@link encodeEventTail} closes it.
 * A broadcast builds the head once and only the tail per connection.
 */
export function encodeEventHead(event: string, payload: unknown, stateVersion?: StateVersion): string {
  const body = JSON.stringify(payload);
  const name = `{"type":"event","event":${JSON.stringify(event)}`;
  const version = stateVersion === undefined ? '' : `,"stateVersion":{"presence":${stateVersion.presence},"health":${stateVersion.health}}`;
  return body === undefined ? name + version : `${name},"payload":${body}${version}`;
}

/** The end of an event frame: the connection's own sequence number, or none. */
export function encodeEventTail(seq?: number): string {
  return seq === undefined ? '}' : `,"seq":${seq}}`;
}

/** A whole event frame as text. */
export function encodeEvent(event: string, payload: unknown, seq?: number): string {
  return encodeEventHead(event, payload) + encodeEventTail(seq);
}
