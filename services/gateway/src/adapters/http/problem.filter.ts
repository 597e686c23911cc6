import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { type ErrorCode, plexusError } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../../application/ports.js';
import { problemOf } from '../../domain/client-error.js';

const CODES_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_FOUND',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'INVALID_REQUEST',
  429: 'RATE_LIMITED',
};

/** Every error leaves as `application/problem+json`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(cause: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(cause, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), this.log);
  }
}

/** Answers a request with an error. */
export type SendProblem = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

export function sendProblem(cause: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const error = toPlexusError(cause, request);
  const problem = problemOf(error);
  if (problem.code === 'INTERNAL') log.error({ error: cause, method: request.method, route: request.routeOptions?.url }, 'a request failed');
  // The answer has begun, as a stream: there is no place for a problem any more.
  if (reply.raw.headersSent || reply.sent) {
    reply.raw.destroy();
    return;
  }
  const retryAfterMs = error.details?.retryAfterMs;
  if (typeof retryAfterMs === 'number') void reply.header('retry-after', String(Math.ceil(retryAfterMs / 1_000)));
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  void reply.status(problem.status).header('content-type', 'application/problem+json; charset=utf-8').send(JSON.stringify(problem));
}

/** Errors of Nest and Fastify have a status and a message of their own; the rest is ours or unknown. */
function toPlexusError(cause: unknown, request: FastifyRequest): PlexusError {
  if (PlexusError.isPlexusError(cause)) return cause;
  const status = cause instanceof HttpException ? cause.getStatus() : (cause as { statusCode?: unknown } | undefined)?.statusCode;
  const code = typeof status === 'number' ? CODES_BY_STATUS[status] : undefined;
  if (code === undefined) return plexusError('INTERNAL', { cause });
  if (code === 'NOT_FOUND') return plexusError('NOT_FOUND', { message: `no such route: ${request.method} ${request.url.split('?')[0]}` });
  if (status === 415) return plexusError(code, { message: 'send the body as application/json' });
  return plexusError(code, { cause });
}
