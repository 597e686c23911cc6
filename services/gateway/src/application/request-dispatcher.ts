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
import { isAbortError } from '@plexus/kernel';
import { TokenBucket } from '@plexus/vm-protocol';
import { clientError, invalidParams, missingScope } from '../domain/client-error.js';
import { describeIssues } from '../domain/handshake.js';
import type { ClientConnection } from './client-connection.js';
import { METHOD_HANDLERS } from './methods/index.js';
import type { MethodCall, MethodHandler, MethodServices } from './methods/method-context.js';
import type { Log } from './ports.js';

/** Runs a call inside a span that continues the client's trace, when it sent one. */
export type Traced = <T>(method: string, traceparent: string | undefined, work: () => Promise<T>) => Promise<T>;

/** What one connection may ask. */
export interface DispatchLimits {
  /** Requests that may run at once. */
  readonly maxRequests: number;
  /** Requests per second on average, and at once; absent: as many as it likes. */
  readonly messagesPerSecond?: number;
  readonly messageBurst?: number;
}

const { invalidRequest, unavailable } = CLIENT_ERROR_CODES;
const NODE_ERRORS_ALLOWED = 10;
const RATE_LIMITED: ErrorShape = {
  code: unavailable,
  message: 'too many requests on this connection',
  retryable: true,
  retryAfterMs: 1_000,
  details: { code: 'RATE_LIMITED' },
};

/** Reads the requests of one connection and answers them, many at a time, in whatever order they finish. */
export class RequestDispatcher {
  private readonly running = new Set<string>();
  private readonly gone = new AbortController();
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
    this.gone.abort();
  }

  /** Takes one parsed frame. Whatever it is, it is answered or ignored, never thrown back. */
  accept(value: unknown): void {
    const parsed = RequestFrame.safeParse(value);
    if (!parsed.success) {
      const id = isRecord(value) && typeof value.id === 'string' && value.id !== '' ? value.id.slice(0, 256) : 'invalid';
      this.fail(id, { code: invalidRequest, message: `invalid request frame: ${describeIssues(parsed.error)}` });
      return;
    }
    const { id, method, params, traceparent } = parsed.data;
    const refused = this.refuse(id, method);
    if (refused !== undefined) {
      this.fail(id, refused);
      return;
    }
    this.running.add(id);
    this.run(id, method as MethodName, params, traceparent ?? undefined)
      .catch((error: unknown) => this.log.error({ error, method }, 'a response could not be sent'))
      .finally(() => this.running.delete(id));
  }

  private refuse(id: string, method: string): ErrorShape | undefined {
    if (method === 'connect') return { code: invalidRequest, message: 'connect is only valid as the first request' };
    if (!isMethodName(method)) return { code: invalidRequest, message: `unknown method: ${method.slice(0, 128)}` };
    const { scope, role } = METHODS[method];
    if (role !== this.connection.role) return this.refuseRole();
    if (scope !== undefined && !this.connection.has(scope)) return missingScope(scope);
    if (this.rate?.take(performance.now()) === false) return RATE_LIMITED;
    if (this.running.has(id)) return { code: invalidRequest, message: 'a request with this id is still running' };
    if (this.running.size < this.limits.maxRequests) return undefined;
    return {
      code: unavailable,
      message: `${this.limits.maxRequests} requests of this connection are running already`,
      retryable: true,
      retryAfterMs: 100,
      details: { code: 'RATE_LIMITED' },
    };
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
    const call: MethodCall = {
      services: this.services,
      connection: this.connection,
      signal: this.gone.signal,
      ask: (rpc, data, timeoutMs) => {
        const { principal } = this.connection;
        return this.services.mesh.call(rpc, principal.tenant, data, { principal, signal: this.gone.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
      },
      respond: (payload) => this.connection.respond(encodeResult(id, payload)),
    };
    // The table pairs each name with its own parameters; the index type cannot express that.
    const handler = METHOD_HANDLERS[method] as MethodHandler<MethodName>;
    try {
      const payload = await this.traced(method, traceparent, async () => handler(params.data as never, call));
      this.connection.respond(encodeResult(id, payload));
    } catch (error) {
      if (this.gone.signal.aborted && isAbortError(error)) return;
      const shape = clientError(error);
      if (shape.details?.code === 'INTERNAL') this.log.error({ error, method }, 'a method failed');
      this.fail(id, shape);
    }
  }

  private fail(id: string, error: ErrorShape): void {
    this.connection.respond(encodeFailure(id, error));
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
