import { CLIENT_ERROR_CODES, type ErrorShape } from '@plexus/client-protocol';
import { type ErrorCode, ERROR_CODES, errors } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { z } from 'zod';
import { describeIssues } from './handshake.js';

/** Details that may leave the gateway: small, plain facts. */
function publicDetails(error: PlexusError): Record<string, unknown> {
  return { ...error.details, code: error.code };
}

/** An error of the mesh in the words of the client protocol: its four codes, with ours in `details.code`. */
export function clientError(cause: unknown): ErrorShape {
  const error = asPlexusError(cause);
  const details = publicDetails(error);
  if (error.code === 'SESSION_NOT_FOUND') return { code: CLIENT_ERROR_CODES.invalidRequest, message: 'session not found', details };
  if (error.status === 401 || error.status === 403) return { code: CLIENT_ERROR_CODES.forbidden, message: error.message, details };
  if (error.status < 500 && error.status !== 429) return { code: CLIENT_ERROR_CODES.invalidRequest, message: error.message, details };
  const retryAfterMs = error.details?.retryAfterMs;
  return {
    code: CLIENT_ERROR_CODES.unavailable,
    message: error.message,
    details,
    retryable: error.retryable,
    ...(typeof retryAfterMs === 'number' && { retryAfterMs }),
  };
}

export function missingScope(scope: string): ErrorShape {
  return {
    code: CLIENT_ERROR_CODES.forbidden,
    message: `missing scope: ${scope}`,
    details: { code: 'MISSING_SCOPE', missingScope: scope, requiredScopes: [scope] },
  };
}

export function invalidParams(method: string, error: z.ZodError): ErrorShape {
  return { code: CLIENT_ERROR_CODES.invalidRequest, message: `invalid ${method} params: ${describeIssues(error)}` };
}

/** RFC 9457 problem with our additions. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;
  readonly issues?: unknown;
  /** Of a refused policy: tests that fail, and critical events that it would lose. */
  readonly failures?: unknown;
  readonly criticalRegressions?: unknown;
}

/** An error as the body of an HTTP answer. */
export function problemOf(cause: unknown): Problem {
  const error = asPlexusError(cause);
  const { issues, failures, criticalRegressions } = error.details ?? {};
  return {
    type: `urn:plexus:error:${error.code.toLowerCase()}`,
    title: errors.get(error.code)?.sentence ?? error.message,
    status: error.status,
    code: error.code,
    detail: error.message,
    retryable: error.retryable,
    ...(issues === undefined ? {} : { issues }),
    ...(failures === undefined ? {} : { failures }),
    ...(criticalRegressions === undefined ? {} : { criticalRegressions }),
  };
}

/** Errors that are not ours become INTERNAL: what they say stays in the logs. */
export function asPlexusError(cause: unknown): PlexusError {
  return PlexusError.isPlexusError(cause) ? cause : errors.create('INTERNAL', { cause });
}

/** Whether trying the same call again later can help. */
export function canRetry(cause: unknown): boolean {
  return asPlexusError(cause).retryable;
}

export function hasCode(cause: unknown, ...codes: ErrorCode[]): boolean {
  return PlexusError.isPlexusError(cause) && codes.some((code) => code === cause.code && code in ERROR_CODES);
}
