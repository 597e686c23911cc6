import type { Msg, Subscription } from '@nats-io/transport-node';
import { contractName, HEADERS, isTenantId, NO_TENANT, plexusError, type Principal, type RpcContract } from '@plexus/contracts';
import { Deadline, PlexusError } from '@plexus/kernel';
import { telemetryIsRegistered } from '@plexus/telemetry';
import type { BusIdentity } from './bus-options.js';
import { encodeError, toPlexusError } from './error-reply.js';
import { countServed, spanOfServing } from './instrumentation.js';
import { toJsonBytes } from './json-body.js';
import type { Link } from './link.js';
import { publishError } from './request-multiplexer.js';
import type { RpcContext, RpcHandler, ServeOptions, Serving, ServingStats } from './rpc.js';
import { isInbox } from './reply-subject.js';
import { type SchemaValidator, validatorFor } from './schema-validator.js';
import type { TokenCache } from './token-cache.js';
import { headerBlock, headerIn, type ReadHeaders, readHeaders } from './wire-headers.js';

/** How a served call is admitted. */
export interface Admission {
  readonly identity: BusIdentity | undefined;
  readonly allowAnonymous: boolean;
  readonly tenantExists: (tenant: string) => boolean;
  readonly tokens: TokenCache;
}

/** The tenant token starts behind `plexus.rpc.`. */
const TENANT_AT = 'plexus.rpc.'.length;

/** The answering side of one `rpc` contract: admits, validates, runs the handler, validates its answer, replies. */
export class ServedContract<C extends RpcContract> implements Serving {
  private readonly subscription: Subscription;
  private readonly name: string;
  private readonly request: SchemaValidator;
  private readonly response: SchemaValidator;
  private readonly stopping = new AbortController();
  private readonly maxInFlight: number;
  private readonly drainTimeoutMs: number;
  private inFlight = 0;
  /** Calls whose answer was asked for at another place than an inbox. */
  private misdirected = 0;
  private onIdle: (() => void) | undefined;
  private stopped: Promise<void> | undefined;
  private requests = 0;
  private errors = 0;
  private lastError = '';
  private processingMs = 0;

  constructor(
    private readonly link: Link,
    private readonly contract: C,
    private readonly handler: RpcHandler<C>,
    private readonly admission: Admission,
    options: ServeOptions,
  ) {
    this.name = contractName(contract);
    this.request = validatorFor(contract.data);
    this.response = validatorFor(contract.response);
    this.maxInFlight = options.maxInFlight ?? 1_024;
    this.drainTimeoutMs = options.drainTimeoutMs ?? 5_000;
    this.subscription = link.connection.subscribe(contract.pattern(), { queue: link.service, callback: (error, message) => this.accept(error, message) });
  }

  get stats(): ServingStats {
    const { requests, errors, lastError } = this;
    const name = `${this.contract.domain}_${this.contract.name}_v${this.contract.version}`;
    return { name, subject: this.contract.pattern(), requests, errors, lastError, processingTimeNs: Math.round(this.processingMs * 1e6) };
  }

  stop(): Promise<void> {
    this.stopped ??= this.drain();
    return this.stopped;
  }

  private async drain(): Promise<void> {
    if (this.link.isConnected) await this.subscription.drain();
    else if (!this.link.connection.isClosed()) this.subscription.unsubscribe();
    if (this.inFlight > 0 && !this.link.connection.isClosed()) {
      const late = setTimeout(() => this.onIdle?.(), this.drainTimeoutMs);
      await new Promise<void>((resolve) => {
        this.onIdle = resolve;
      });
      clearTimeout(late);
    }
    if (this.inFlight > 0) this.link.log.warn({ contract: this.name, inFlight: this.inFlight }, 'calls were still running when serving stopped');
    this.stopping.abort(plexusError('CANCELLED', { message: 'The service is stopping.' }));
  }

  private accept(error: Error | null, message: Msg): void {
    if (error) {
      this.link.log.error({ err: error, contract: this.name }, 'the subscription for this contract was refused');
      return;
    }
    // Without a reply subject nobody waits for the answer.
    if (!message.reply) return;
    if (!isInbox(message.reply)) {
      this.misdirected += 1;
      this.link.log.warn({ contract: this.name, misdirected: this.misdirected }, 'a call was dropped: its answer was to go somewhere that is no inbox');
      return;
    }
    this.requests += 1;
    if (this.inFlight >= this.maxInFlight) {
      this.fail(message, plexusError('QUEUE_FULL', { message: 'Too many calls are being answered.', details: { limit: this.maxInFlight } }));
      return;
    }
    this.inFlight += 1;
    void this.answer(message);
  }

  private async answer(message: Msg): Promise<void> {
    const startedAt = performance.now();
    let code: string | undefined;
    try {
      const pending = telemetryIsRegistered() ? spanOfServing(this.name, readHeaders(message), () => this.handle(message)) : this.handle(message);
      this.reply(message, await pending);
    } catch (error) {
      code = this.fail(message, error);
    }
    const ms = performance.now() - startedAt;
    this.processingMs += ms;
    countServed(this.name, code, ms);
    this.inFlight -= 1;
    if (this.inFlight === 0) this.onIdle?.();
  }

  /** One function on purpose: every further async layer costs a tenth of a call. */
  private async handle(message: Msg): Promise<Uint8Array> {
    const { subject } = message;
    const tenant = subject.slice(TENANT_AT, subject.indexOf('.', TENANT_AT));
    const block = headerBlock(message);
    const proof = this.principalOf(tenant, headerIn(block, HEADERS.auth));
    const principal = proof instanceof Promise ? await proof : proof;
    this.admit(principal, tenant);
    const due = headerIn(block, HEADERS.deadline);
    if (due !== undefined && Number(due) <= Date.now()) throw plexusError('TIMEOUT', { message: 'The deadline had passed before the call was answered.' });
    const data = this.request.parse(message.data);
    const context = new CallContext(tenant, principal, subject, due, message, this.stopping.signal);
    try {
      const answer: unknown = this.handler(data as never, context);
      return toJsonBytes(this.checked(answer instanceof Promise ? await answer : answer));
    } finally {
      context.dispose();
    }
  }

  private reply(message: Msg, body: Uint8Array): void {
    try {
      this.link.connection.publish(message.reply as string, body);
    } catch (error) {
      throw publishError(error, this.name, body.length);
    }
  }

  /** Whether that principal may address this tenant. */
  private admit(principal: Principal, tenant: string): void {
    if (principal.tenant !== tenant && !(principal.role === 'service' && principal.tenant === NO_TENANT)) {
      throw plexusError('TENANT_MISMATCH', { details: { credential: principal.tenant, subject: tenant } });
    }
    if (tenant !== NO_TENANT && !(isTenantId(tenant) && this.admission.tenantExists(tenant))) {
      throw plexusError('UNKNOWN_TENANT', { details: { tenant } });
    }
  }

  private principalOf(tenant: string, token: string | undefined): Promise<Principal> | Principal {
    const { identity, allowAnonymous } = this.admission;
    if (token !== undefined && identity !== undefined) return identity.verify(this.admission.tokens.intern(token));
    if (!allowAnonymous) throw plexusError('UNAUTHENTICATED');
    return { tenant, role: 'service', scopes: [], credentialId: 'anonymous' };
  }

  private checked(reply: unknown): unknown {
    try {
      return this.response.tolerant(reply);
    } catch (cause) {
      const issues = PlexusError.isPlexusError(cause) ? cause.details : undefined;
      throw plexusError('INTERNAL', { message: 'The service produced an answer that does not fit its contract.', cause: new Error(JSON.stringify(issues)) });
    }
  }

  /** Replies with an error and logs what the caller must not see. Returns its code. */
  private fail(message: Msg, thrown: unknown): string {
    const error = toPlexusError(thrown);
    this.errors += 1;
    this.lastError = `${error.code}: ${error.message}`;
    if (error.status >= 500 && error.cause !== undefined) {
      this.link.log.error({ err: error.cause, code: error.code, contract: this.name }, 'a call failed');
    }
    const { headers, body } = encodeError(error);
    try {
      this.link.connection.publish(message.reply as string, body, { headers: headers.toNats() as never });
    } catch (cause) {
      this.link.log.warn({ err: publishError(cause, 'reply', body.length), contract: this.name }, 'an answer could not be sent');
    }
    return error.code;
  }
}

/** Deadline, signal and headers are made when a handler asks for them: most never do, and each costs as much as a good part of a call. */
class CallContext implements RpcContext {
  private readDeadline: Deadline | undefined;
  private combined: AbortSignal | undefined;
  private readMap: ReadHeaders | undefined;

  constructor(
    readonly tenant: string,
    readonly principal: Principal,
    readonly subject: string,
    private readonly due: string | undefined,
    private readonly message: Msg,
    private readonly stopping: AbortSignal,
  ) {}

  get deadline(): Deadline | undefined {
    this.readDeadline ??= Deadline.fromHeader(this.due);
    return this.readDeadline;
  }

  get signal(): AbortSignal {
    this.combined ??= this.deadline === undefined ? this.stopping : AbortSignal.any([this.deadline.signal, this.stopping]);
    return this.combined;
  }

  get headers(): ReadHeaders {
    this.readMap ??= readHeaders(this.message);
    return this.readMap;
  }

  /** Releases the timer behind the signal. */
  dispose(): void {
    this.readDeadline?.dispose();
  }
}
