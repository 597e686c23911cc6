import { plexusError } from '@plexus/contracts';
import type { FastifyInstance } from 'fastify';
import { corsHeaders, preflightHeaders } from '../../domain/cross-origin.js';
import type { HttpRates } from '../../domain/request-rates.js';
import type { SendProblem } from './problem.filter.js';

export interface EdgeOptions {
  /** Origins whose pages may read answers. */
  readonly allowedOrigins: readonly string[];
  readonly rates: HttpRates;
}

/** Asked by probes and balancers, often and from few addresses. */
const PROBES = new Set(['/healthz', '/livez', '/readyz']);

/** What happens to every request before anybody looks at it: answers for browsers of other origins, and the rate of its address. */
export function addEdge(fastify: FastifyInstance, { allowedOrigins, rates }: EdgeOptions, problem: SendProblem): void {
  fastify.addHook('onRequest', async (request, reply) => {
    const { origin, 'access-control-request-method': asks } = request.headers;
    // On the raw answer: event streams are written there.
    for (const [name, value] of Object.entries(corsHeaders(origin, allowedOrigins))) reply.raw.setHeader(name, value);
    if (PROBES.has(request.url)) return undefined;
    const waitMs = rates.ofAddress(request.ip);
    if (waitMs > 0) {
      problem(plexusError('RATE_LIMITED', { message: 'too many requests from this address', details: { retryAfterMs: waitMs } }), request, reply);
      return reply;
    }
    const preflight = preflightHeaders({ method: request.method, origin, asks }, allowedOrigins);
    if (preflight === undefined) return undefined;
    return reply.status(204).headers(preflight).send();
  });
}
