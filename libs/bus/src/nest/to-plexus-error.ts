import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { type ErrorCode, errors, plexusError } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  408: 'TIMEOUT',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  422: 'INVALID_REQUEST',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE',
  504: 'TIMEOUT',
};
/** What Nest's guards throw when they deny. */
const DENIED = 'Forbidden resource';

/**
 * Anything that Nest's pipeline throws, as an error with a stable code. PlexusErrors pass; HTTP exceptions map by status; an RpcException
 * keeps a code of ours; a guard's denial is FORBIDDEN; everything else is INTERNAL with the thrown value as its private cause.
 */
export function toPlexusError(error: unknown): PlexusError {
  if (PlexusError.isPlexusError(error)) return error;
  if (error instanceof HttpException) return fromHttp(error);
  if (error instanceof RpcException) return fromPayload(error.getError(), error);
  if (error instanceof Error) return plexusError('INTERNAL', { cause: error });
  return fromPayload(error, error);
}

function fromHttp(error: HttpException): PlexusError {
  const code = CODE_OF_STATUS[error.getStatus()];
  if (code === undefined) return plexusError('INTERNAL', { cause: error });
  const response = error.getResponse();
  const message = typeof response === 'object' && 'message' in response ? response.message : response;
  const text = Array.isArray(message) ? message.join('; ') : String(message);
  return plexusError(code, { message: text, cause: error });
}

/** The payload of an RpcException, or what Nest's base filter made of an exception: a string, or an object with code or message. */
function fromPayload(payload: unknown, cause: unknown): PlexusError {
  if (PlexusError.isPlexusError(payload)) return payload;
  const { code, message, details } = (typeof payload === 'object' && payload !== null ? payload : { message: payload }) as {
    readonly code?: unknown;
    readonly message?: unknown;
    readonly details?: unknown;
  };
  if (message === DENIED) return plexusError('FORBIDDEN', { cause });
  if (typeof code === 'string' && errors.has(code)) {
    return plexusError(code, {
      cause,
      ...(typeof message === 'string' && { message }),
      ...(typeof details === 'object' && details !== null && { details: details as Record<string, unknown> }),
    });
  }
  return plexusError('INTERNAL', { cause });
}
