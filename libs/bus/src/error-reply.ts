import { type Msg } from '@nats-io/transport-node';
import { errors, HEADERS, plexusError } from '@plexus/contracts';
import { parseJson, PlexusError } from '@plexus/kernel';
import { z } from 'zod';
import { toJsonBytes } from './json-body.js';
import { headerText, OutgoingHeaders } from './wire-headers.js';

/** Larger details are left out of an error: the answer to a bad request must not be larger than a message may be. */
const MAX_ERROR_BYTES = 256 * 1024;

const ErrorBody = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** An error as the two headers and the body in which it travels. */
export function encodeError(error: PlexusError): { readonly headers: OutgoingHeaders; readonly body: Uint8Array } {
  const headers = new OutgoingHeaders().set(HEADERS.errorCode, headerText(error.code)).set(HEADERS.errorText, headerText(error.message));
  const body = toJsonBytes(error.toJSON());
  if (body.length <= MAX_ERROR_BYTES) return { headers, body };
  return { headers, body: toJsonBytes({ code: error.code, message: error.message, retryable: error.retryable }) };
}

/** The error in an answer; undefined when it is none. Errors of foreign responders, which have only the headers, are read too. */
export function decodeError(message: Msg): PlexusError | undefined {
  const code = message.headers?.get(HEADERS.errorCode);
  if (!code) return undefined;
  const known = errors.get(code);
  const parsed = parseJson(message.data, { maxBytes: MAX_ERROR_BYTES * 2 });
  const body = parsed.ok ? ErrorBody.safeParse(parsed.value) : undefined;
  if (body?.success && body.data.code === code) {
    return new PlexusError({ ...body.data, status: known?.status ?? 500, ...(body.data.details && { details: body.data.details }) });
  }
  return new PlexusError({
    code,
    message: message.headers?.get(HEADERS.errorText) || known?.sentence || 'The service answered with an error.',
    retryable: known?.retryable ?? false,
    status: known?.status ?? 500,
  });
}

/** Any thrown value as an error that may leave the service. What is not ours becomes INTERNAL and is for the log. */
export function toPlexusError(error: unknown): PlexusError {
  return PlexusError.isPlexusError(error) ? error : plexusError('INTERNAL', { cause: error });
}
