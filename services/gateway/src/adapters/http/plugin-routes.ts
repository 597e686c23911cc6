import { validateHeaderName, validateHeaderValue } from 'node:http';
import { hasScope, plexusError } from '@plexus/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PluginAnswer, PluginRequest } from '../../application/plugins/plugin-api.js';
import type { ChainOutcome, PluginChain } from '../../application/plugins/plugin-chain.js';
import type { Log } from '../../application/ports.js';
import type { BearerCheck } from './bearer-check.js';
import type { SendProblem } from './problem.filter.js';

export interface PluginRouteOptions {
  readonly chain: PluginChain;
  readonly timeoutMs: number;
  readonly bodyLimitBytes: number;
}

/** Set by the connection, not by a plugin. */
const NOT_THEIRS = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding', 'upgrade', 'trailer']);

/** Offers every request that no route of the gateway takes to the plugins. */
export function addPluginRoutes(fastify: FastifyInstance, options: PluginRouteOptions, bearer: BearerCheck, problem: SendProblem, log: Log): void {
  const { chain } = options;
  fastify.addHook('onRequest', async (request, reply) => {
    const target = targetOf(request);
    if (!request.is404 || target.path.startsWith('/v1/') || !chain.wants(request.method, target.path)) return undefined;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(options.timeoutMs), goneSignal(reply)]);
      const input = await pluginRequest(request, target, signal, options, bearer);
      send(reply, await chain.run(input), request, problem, log);
    } catch (error) {
      problem(error, request, reply);
    }
    return reply;
  });
}

interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
}

/** As it was sent: nothing is resolved or decoded, so that no two spellings are one route. */
function targetOf({ url }: FastifyRequest): Target {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: new URLSearchParams() } : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) };
}

async function pluginRequest(
  request: FastifyRequest,
  { path, query }: Target,
  signal: AbortSignal,
  { chain, bodyLimitBytes }: PluginRouteOptions,
  bearer: BearerCheck,
): Promise<PluginRequest> {
  const { method, ip: address } = request;
  const scope = chain.routeOf(method, path)?.options.scope;
  const { authorization, ...headers } = request.headers;
  const open = { method, path, query, address, signal };
  if (scope === undefined) return { ...open, headers: request.headers, body: await readBody(request, bodyLimitBytes, signal) };
  // Before the body: a stranger's is not taken in.
  const { tenant, user, scopes } = await bearer.prove(request);
  if (!hasScope(scopes, scope))
    throw plexusError('MISSING_SCOPE', { message: `missing scope: ${scope}`, details: { missingScope: scope, requiredScopes: [scope] } });
  return { ...open, headers, caller: { tenant, user, scopes }, body: await readBody(request, bodyLimitBytes, signal) };
}

async function readBody(request: FastifyRequest, limitBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  const cut = () => request.raw.destroy();
  signal.addEventListener('abort', cut, { once: true });
  try {
    for await (const chunk of request.raw.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length;
      if (length > limitBytes) throw plexusError('PAYLOAD_TOO_LARGE', { message: `the body is longer than ${limitBytes} bytes` });
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw signal.aborted ? plexusError('TIMEOUT', { message: 'the body did not come in time', cause: error }) : error;
  } finally {
    signal.removeEventListener('abort', cut);
  }
  return Buffer.concat(chunks);
}

function send(reply: FastifyReply, outcome: ChainOutcome, request: FastifyRequest, problem: SendProblem, log: Log): void {
  if (outcome.kind === 'unhandled') {
    problem(plexusError('NOT_FOUND', { message: `no such route: ${request.method} ${request.url.split('?')[0]}` }), request, reply);
    return;
  }
  if (outcome.kind === 'answered') {
    try {
      sendAnswer(reply, outcome.answer);
      return;
    } catch (error) {
      log.error({ error, method: request.method, path: request.url.split('?')[0] }, 'the answer of a plugin cannot be sent');
    }
  }
  const { status, text } = outcome.kind === 'failed' ? outcome : { status: 500, text: 'Internal Server Error' };
  void reply.status(status).type('text/plain; charset=utf-8').send(text);
}

function sendAnswer(reply: FastifyReply, { status = 200, headers = {}, body }: PluginAnswer): void {
  const own = Object.entries(headers).filter(([name]) => !NOT_THEIRS.has(name.toLowerCase()));
  for (const [name, value] of own) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
  const isText = typeof body === 'string';
  const payload = body === undefined || body === null ? undefined : isText ? body : body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body);
  const type = isText ? 'text/plain; charset=utf-8' : body instanceof Uint8Array ? 'application/octet-stream' : 'application/json; charset=utf-8';
  if (payload !== undefined) void reply.type(type);
  for (const [name, value] of own) void reply.header(name, value);
  void reply.status(status).send(payload);
}

function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}
