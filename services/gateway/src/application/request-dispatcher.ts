import {
  CLIENT_ERROR_CODES,
  CLOSE_CODES,
  type ErrorShape,
  encodeFailure,
  encodeResult,
  isMethodName,
  type MethodName,
  METHODS,
  RequestFrame,
} from '@plexus/client-protocol';
import { AbortedError, isAbortError } from '@plexus/kernel';
import { TokenBucket } from '@plexus/vm-protocol';
import { clientError, invalidParams, missingScope } from '../domain/client-error.js';
import { describeIssues } from '../domain/handshake.js';
import type { RateExcess } from '../domain/request-rates.js';
import type { ClientConnection } from './client-connection.js';
import { METHOD_HANDLERS } from './methods/index.js';
import type { MethodCall, MethodHandler, MethodServices } from './methods/method-context.js';
import type { Log } from './ports.js';
import { turnName, Turns } from './turns.js';

/** Runs a call inside a span that continues the client's trace, when it sent one. */
export type Traced = <T>(method: string, traceparent: string | undefined, work: () => Promise<T>) => Promise<T>;

/** What one connection may ask. */
export interface DispatchLimits {
  /** Requests that may run at once. */
  readonly maxRequests: number;
  /** Requests per second on average, and at once; absent: as many as it likes. */
  readonly messagesPerSecond?: number;
  readonly messageBurst?: number;
  /** What its user and tenant may send, by whatever connections: takes one request of so many bytes, or says why not. */
  readonly usage?: (bytes: number) => RateExcess | undefined;
}

const { invalidRequest, unavailable } = CLIENT_ERROR_CODES;
const NODE_ERRORS_ALLOWED = 10;
/** Why requests stop whose connection is gone; one for all, because an error is not cheap to make. */
const GONE = new AbortedError('the connection is gone');

function rateLimited(message: string, retryAfterMs: number, whose: 'connection' | 'user' | 'tenant', what: 'requests' | 'bytes' = 'requests'): ErrorShape {
  return { code: unavailable, message, retryable: true, retryAfterMs: Math.ceil(retryAfterMs), details: { code: 'RATE_LIMITED', whose, what } };
}

/** Reads the requests of one connection and answers them, many at a time, in whatever order they finish. */
export class RequestDispatcher {
  // Most connections of a large gateway ask nothing for a long time: what requests need is made when one comes.
  private running: Set<string> | undefined;
  private turns: Turns | undefined;
  private gone: AbortController | undefined;
  private stopped = false;
  private nodeErrors = 0;
  private readonly rate: TokenBucket | undefined;

  constructor(
    private readonly connection: ClientConnection,
    private readonly services: MethodServices,
    private readonly limits: DispatchLimits,
    private readonly traced: Traced,
    private readonly log: Log,
  ) {
    const { messagesPerSecond, messageBurst } = limits;
    if (messagesPerSecond !== undefined && messageBurst !== undefined) this.rate = new TokenBucket(messagesPerSecond, messageBurst);
  }

  /** The connection is gone: what waits for its sake stops. */
  stop(): void {
    this.stopped = true;
    this.gone?.abort(GONE);
  }

  private get signal(): AbortSignal {
    if (this.gone === undefined) {
      this.gone = new AbortController();
      if (this.stopped) this.gone.abort(GONE);
    }
    return this.gone.signal;
  }

  /** Takes one parsed frame. Whatever it is, it is answered or ignored, never thrown back. */
  accept(value: unknown, bytes = 0): void {
    const parsed = RequestFrame.safeParse(value);
    if (!parsed.success) {
      const id = isRecord(value) && typeof value.id === 'string' && value.id !== '' ? value.id.slice(0, 256) : 'invalid';
      this.fail(id, { code: invalidRequest, message: `invalid request frame: ${describeIssues(parsed.error)}` });
      return;
    }
    const { id, method, params, traceparent } = parsed.data;
    const refused = this.refuse(id, method, bytes);
    if (refused !== undefined) {
      this.fail(id, refused);
      return;
    }
    this.running ??= new Set();
    const { running } = this;
    running.add(id);
    this.run(id, method as MethodName, params, traceparent ?? undefined)
      .catch((error: unknown) => this.log.error({ error, method }, 'a response could not be sent'))
      .finally(() => running.delete(id));
  }

  private refuse(id: string, method: string, bytes: number): ErrorShape | undefined {
    if (method === 'connect') return { code: invalidRequest, message: 'connect is only valid as the first request' };
    if (!isMethodName(method)) return { code: invalidRequest, message: `unknown method: ${method.slice(0, 128)}` };
    const { scope, role } = METHODS[method];
    if (role !== this.connection.role) return this.refuseRole();
    if (scope !== undefined && !this.connection.has(scope)) return missingScope(scope);
    if (this.rate?.take(performance.now()) === false) {
      return rateLimited('too many requests on this connection', 1_000 / (this.limits.messagesPerSecond ?? 1), 'connection');
    }
    const excess = this.limits.usage?.(bytes);
    if (excess !== undefined) return rateLimited(`too many ${excess.what} of this ${excess.whose}`, excess.waitMs, excess.whose, excess.what);
    if (this.running?.has(id) === true) return { code: invalidRequest, message: 'a request with this id is still running' };
    if ((this.running?.size ?? 0) < this.limits.maxRequests) return undefined;
    return rateLimited(`${this.limits.maxRequests} requests of this connection are running already`, 100, 'connection');
  }

  /** Nodes have methods of their own; those of operators are not for them, and the other way round. A node that insists is closed. */
  private refuseRole(): ErrorShape {
    const { role } = this.connection;
    if (role === 'node') this.nodeErrors += 1;
    if (this.nodeErrors > NODE_ERRORS_ALLOWED) this.connection.close(CLOSE_CODES.policy, 'repeated unauthorized calls');
    return { code: invalidRequest, message: `unauthorized role: ${role}` };
  }

  private async run(id: string, method: MethodName, input: unknown, traceparent: string | undefined): Promise<void> {
    const params = METHODS[method].params.safeParse(input ?? undefined);
    if (!params.success) {
      // A method with parameters that were left out reads better when told what is missing inside them.
      const explained = input === undefined || input === null ? METHODS[method].params.safeParse({}) : params;
      this.fail(id, invalidParams(method, (explained.success ? params : explained).error));
      return;
    }
    const call = this.callOf(id);
    // The table pairs each name with its own parameters; the index type cannot express that.
    const handler = METHOD_HANDLERS[method] as MethodHandler<MethodName>;
    try {
      const payload = await this.traced(method, traceparent, async () => handler(params.data as never, call));
      this.connection.respond(encodeResult(id, payload));
    } catch (error) {
      if (this.stopped && isAbortError(error)) return;
      const shape = clientError(error);
      if (shape.details?.code === 'INTERNAL') this.log.error({ error, method }, 'a method failed');
      this.fail(id, shape);
    }
  }

  private callOf(id: string): MethodCall {
    const { services, connection } = this;
    const signalOf = () => this.signal;
    return {
      services,
      connection,
      get signal() {
        return signalOf();
      },
      ask: (rpc, data, timeoutMs) => {
        const { principal } = connection;
        return services.mesh.call(rpc, principal.tenant, data, { principal, signal: this.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
      },
      tell: (rpc, data) => services.mesh.call(rpc, connection.principal.tenant, data, { principal: connection.principal }),
      inTurn: (session, work) => {
        this.turns ??= new Turns(() => performance.now());
        return this.turns.take(session && turnName(session, services.tenants.defaultAgent(connection.principal.tenant)), work);
      },
      respond: (payload) => connection.respond(encodeResult(id, payload)),
    };
  }

  private fail(id: string, error: ErrorShape): void {
    this.connection.respond(encodeFailure(id, error));
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
