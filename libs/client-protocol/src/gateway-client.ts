import { ChatStream, runFailed } from './chat-stream.js';
import { CAPABILITIES, TERMINAL_DETAILS } from './codes.js';
import { type ClientInfo, type ConnectInput, type HelloOkLoose } from './connect.js';
import { PROTOCOL_VERSION, type EventFrame } from './frames.js';
import { ChatEvent, ChatMessage, ShutdownEvent } from './events.js';
import { GatewayError } from './gateway-error.js';
import { GatewayLink, type SocketLike } from './gateway-link.js';
import { SCOPE } from './define-method.js';
import type { MethodInput, MethodName } from './methods.js';
import { PendingRequests, type RequestOptions } from './pending-requests.js';
import { DEFAULT_RECONNECT, type ReconnectPolicy, reconnectDelay } from './reconnect.js';

export type ClientState = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'degraded' | 'refused' | 'closed';

export interface GatewayClientOptions {
  /** `ws://127.0.0.1:18789` or `wss://…`. */
  readonly url: string;
  /** Shared gateway token, JWT or one-time ticket. A function is asked at every connection; when it throws a {@link GatewayError} with a
   * terminal detail the client is refused, after anything else it tries again. */
  readonly token?: string | (() => Promise<string>);
  readonly client?: Partial<ClientInfo>;
  /** Default: operator.admin; the gateway grants what the credential allows. */
  readonly scopes?: readonly string[];
  readonly caps?: readonly string[];
  readonly reconnect?: Partial<ReconnectPolicy>;
  /** Longest wait for challenge and for hello, in ms. Default 15 000. */
  readonly handshakeTimeoutMs?: number;
  /** How many requests may wait for an answer or a connection. Default 1 024. */
  readonly maxPending?: number;
  /** Default: the global `WebSocket` of browsers and Node ≥ 22. */
  readonly createSocket?: (url: string) => SocketLike;
  readonly onState?: (state: ClientState, error?: GatewayError) => void;
  /** `alertAfter` attempts in a row have failed. Trying goes on; this is for somebody to be told. */
  readonly onAlert?: (alert: { attempts: number; error: GatewayError }) => void;
  readonly onGap?: (gap: { expected: number; received: number }) => void;
  readonly onBadFrame?: (problem: string) => void;
}

export interface ChatSendInput extends Omit<MethodInput<'chat.send'>, 'idempotencyKey'> {
  /** Becomes the run id. Default: a random UUID. */
  readonly idempotencyKey?: string;
}

/** While a resumed answer is awaited its end is asked for at these intervals, because it may have come while nobody was connected. */
const RESUME_POLL_MS = [1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** Foreign gateways forget idempotency keys after 5 min; repeating a message later could start it again. */
const FOREIGN_DEDUPE_MS = 240_000;

/**
 * A connection to a gateway that stays: it reconnects for ever (unless it is refused for good), finds a dead socket by silence, and
 * settles every request. Requests made while it is away wait for the connection within their own time limit.
 */
export class GatewayClient {
  private readonly pending: PendingRequests;
  private readonly policy: ReconnectPolicy;
  private readonly listeners = new Map<string, Set<(payload: unknown, frame: EventFrame) => void>>();
  private readonly streams = new Map<string, { stream: ChatStream; resume: () => void }>();
  private readonly waiting: { resolve: (hello: HelloOkLoose) => void; reject: (error: GatewayError) => void }[] = [];
  private link: GatewayLink | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  /** Not before this (`performance.now()`): the gateway that goes asked its clients to come back spread out. */
  private comeBackAt = 0;
  private current: ClientState = 'idle';
  private refusal: GatewayError | undefined;

  constructor(private readonly options: GatewayClientOptions) {
    this.pending = new PendingRequests(options.maxPending ?? 1_024);
    this.policy = { ...DEFAULT_RECONNECT, ...options.reconnect };
  }

  get state(): ClientState {
    return this.current;
  }

  /** What the gateway said in its hello; undefined while there is no connection. */
  get hello(): HelloOkLoose | undefined {
    return this.current === 'connected' ? this.link?.hello : undefined;
  }

  /**
   * Connects, and keeps trying until it succeeds, is refused for good (rejects with the refusal) or the time is over (closes the client
   * and rejects). Without `timeoutMs` it tries for ever.
   */
  connect(o: { readonly timeoutMs?: number } = {}): Promise<HelloOkLoose> {
    if (this.current === 'closed') return Promise.reject(GatewayError.closed());
    if (this.current === 'connected' && this.link !== undefined) return Promise.resolve(this.link.hello);
    const connected = new Promise<HelloOkLoose>((resolve, reject) => {
      this.waiting.push({ resolve, reject });
    });
    if (this.current === 'idle' || this.current === 'refused') this.attempt('connecting');
    if (o.timeoutMs === undefined) return connected;
    const { timeoutMs } = o;
    const timer = setTimeout(() => this.shutDown(GatewayError.timeout(`connecting to ${this.options.url}`, timeoutMs)), timeoutMs);
    return connected.finally(() => clearTimeout(timer));
  }

  /** Ends the connection for good; everything that waits is rejected. */
  close(): void {
    this.shutDown(GatewayError.closed());
  }

  /** Calls a method. Rejects with {@link GatewayError}. */
  request<M extends MethodName>(method: M, params?: MethodInput<M>, options?: RequestOptions): Promise<unknown>;
  request(method: string, params?: unknown, options?: RequestOptions): Promise<unknown>;
  request(method: string, params: unknown = {}, options: RequestOptions = {}): Promise<unknown> {
    if (this.current === 'closed') return Promise.reject(GatewayError.closed());
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    return this.pending.add(method, params, options, this.send);
  }

  /** Listens to an event (`*` = all). Returns the function that stops it. */
  on(event: string, listener: (payload: unknown, frame: EventFrame) => void): () => void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(listener));
    return () => void set.delete(listener);
  }

  /**
   * Sends a message and streams the answer. It survives reconnects: the message is sent again under the same key, which continues the
   * same run. Breaking out of the loop stops listening; aborting the signal also aborts the run.
   */
  chatSend(input: ChatSendInput, o: { readonly signal?: AbortSignal } = {}): ChatStream {
    const runId = input.idempotencyKey ?? globalThis.crypto.randomUUID();
    const params = { ...input, idempotencyKey: runId };
    const startedAt = Date.now();
    let poll: ReturnType<typeof setTimeout> | undefined;
    let polls = 0;
    let abandoned = false;

    const onAbort = () => {
      if (!stream.open) return;
      abandoned = true;
      this.abort(input.sessionKey, runId).catch(() => undefined); // The stream's own end says what became of the run.
      stream.fail(new GatewayError({ code: 'UNAVAILABLE', message: 'aborted by the caller', details: { code: 'ABORTED' } }, { cause: o.signal?.reason }));
    };
    const stream = new ChatStream(runId, () => {
      clearTimeout(poll);
      o.signal?.removeEventListener('abort', onAbort);
      this.streams.delete(runId);
    });
    const ask = async (resumed: boolean): Promise<void> => {
      try {
        const reply = await this.request('chat.send', params, { resend: true });
        await this.settleChat(stream, input.sessionKey, reply);
      } catch (error) {
        if (error instanceof GatewayError && (!error.retryable || !resumed)) stream.fail(error);
      }
      if (!resumed || !stream.open) return;
      poll = setTimeout(() => void ask(true), RESUME_POLL_MS[Math.min(polls++, RESUME_POLL_MS.length - 1)]);
    };
    const resume = () => {
      clearTimeout(poll);
      polls = 0;
      const lasting = this.hello?.features?.capabilities?.includes(CAPABILITIES.inbox) === true;
      if (lasting || Date.now() - startedAt < FOREIGN_DEDUPE_MS) void ask(true);
      else stream.fail(GatewayError.connectionLost(1006, 'the outcome of the run is unknown: read the history'));
    };
    this.streams.set(runId, { stream, resume });
    o.signal?.addEventListener('abort', onAbort, { once: true });
    if (o.signal?.aborted) onAbort();
    if (!abandoned) void ask(false);
    return stream;
  }

  /** Appends an assistant message to an existing session. Needs operator.admin. */
  inject(sessionKey: string, message: string, label?: string): Promise<unknown> {
    return this.request('chat.inject', { sessionKey, message, ...(label === undefined ? {} : { label }) });
  }

  /** Messages of a session, oldest first. */
  history(sessionKey: string, o: Omit<MethodInput<'chat.history'>, 'sessionKey'> = {}): Promise<unknown> {
    return this.request('chat.history', { sessionKey, ...o }, { resend: true });
  }

  /** Stops one run, or every open run of the session. */
  abort(sessionKey: string, runId?: string): Promise<unknown> {
    return this.request('chat.abort', { sessionKey, ...(runId === undefined ? {} : { runId }) }, { resend: true });
  }

  /** Starts a new incarnation of a session. Needs operator.admin. */
  reset(key: string): Promise<unknown> {
    return this.request('sessions.reset', { key });
  }

  /** Runs an agent on a message and waits for its result (the second response). */
  agent(params: Omit<MethodInput<'agent'>, 'idempotencyKey'> & { idempotencyKey?: string }, options: RequestOptions = {}): Promise<unknown> {
    const idempotencyKey = params.idempotencyKey ?? globalThis.crypto.randomUUID();
    return this.request('agent', { ...params, idempotencyKey }, { timeoutMs: 630_000, resend: true, ...options, expectFinal: true });
  }

  private readonly send = (frame: string): boolean => this.current === 'connected' && (this.link?.send(frame) ?? false);

  private attempt(state: 'connecting' | 'reconnecting'): void {
    if (this.current !== 'degraded') this.enter(state);
    this.refusal = undefined;
    let opened: ReturnType<typeof GatewayLink.open>;
    try {
      opened = GatewayLink.open({
        url: this.options.url,
        connect: this.introduction(),
        createSocket: this.options.createSocket ?? globalSocket,
        handshakeTimeoutMs: this.options.handshakeTimeoutMs ?? 15_000,
        onEvent: (frame) => this.dispatch(frame),
        onResponse: (frame) => this.pending.accept(frame),
        onClose: (code, reason) => this.lost(GatewayError.connectionLost(code, reason)),
        onGap: this.options.onGap,
        onBadFrame: this.options.onBadFrame,
      });
    } catch (cause) {
      const message = `cannot open ${this.options.url}: ${cause instanceof Error ? cause.message : String(cause)}`;
      this.refuse(new GatewayError({ code: 'INVALID_REQUEST', message, details: { code: 'BAD_URL' } }, { cause }));
      return;
    }
    this.link = opened.link;
    opened.ready.then(
      (hello) => this.established(opened.link, hello),
      (error: GatewayError) => this.failed(opened.link, error),
    );
  }

  private established(link: GatewayLink, hello: HelloOkLoose): void {
    if (link !== this.link || this.current === 'closed') return;
    this.failures = 0;
    this.comeBackAt = 0;
    const again = this.current === 'reconnecting' || this.current === 'degraded';
    this.enter('connected');
    this.pending.flush(this.send);
    if (again) for (const { resume } of [...this.streams.values()]) resume();
    for (const { resolve } of this.waiting.splice(0)) resolve(hello);
  }

  private failed(link: GatewayLink, error: GatewayError): void {
    if (link !== this.link || this.current === 'closed') return;
    if (error.detailCode !== undefined && TERMINAL_DETAILS.has(error.detailCode)) this.refuse(error);
    else this.lost(error);
  }

  private refuse(error: GatewayError): void {
    this.link = undefined;
    this.refusal = error;
    this.enter('refused', error);
    this.rejectEverything(error);
  }

  private lost(error: GatewayError): void {
    if (this.current === 'closed') return;
    this.link = undefined;
    this.pending.connectionLost(error);
    this.failures += 1;
    if (this.failures >= this.policy.alertAfter) this.enter('degraded', error);
    else this.enter('reconnecting', error);
    if (this.failures % this.policy.alertAfter === 0) this.options.onAlert?.({ attempts: this.failures, error });
    const asked = error.retryAfterMs === undefined ? undefined : Math.min(2_000, Math.max(100, error.retryAfterMs));
    const wait = Math.max(asked ?? reconnectDelay(this.failures - 1, this.policy), this.comeBackAt - performance.now());
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.attempt('reconnecting'), wait);
  }

  private shutDown(error: GatewayError): void {
    if (this.current === 'closed') return;
    clearTimeout(this.retryTimer);
    this.enter('closed');
    this.link?.close();
    this.link = undefined;
    this.rejectEverything(error);
  }

  private rejectEverything(error: GatewayError): void {
    this.pending.rejectAll(error);
    for (const { stream } of [...this.streams.values()]) stream.fail(error);
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }

  private enter(state: ClientState, error?: GatewayError): void {
    if (this.current === state) return;
    this.current = state;
    this.options.onState?.(state, error);
  }

  private dispatch(frame: EventFrame): void {
    if (frame.event === 'chat') {
      const event = ChatEvent.safeParse(frame.payload);
      if (event.success) this.streams.get(event.data.runId)?.stream.accept(event.data);
      else this.options.onBadFrame?.('a chat event that cannot be read');
    } else if (frame.event === 'shutdown') {
      const shutdown = ShutdownEvent.safeParse(frame.payload);
      const spreadMs = shutdown.success ? Math.min(60_000, shutdown.data.spreadMs ?? 0) : 0;
      // From now, not from the close: a gateway may spread the closes as well.
      this.comeBackAt = spreadMs === 0 ? 0 : performance.now() + Math.random() * spreadMs;
    }
    for (const listener of this.listeners.get(frame.event) ?? []) listener(frame.payload, frame);
    for (const listener of this.listeners.get('*') ?? []) listener(frame.payload, frame);
  }

  /** A response to `chat.send` either says that the run goes on, or is its cached end. */
  private async settleChat(stream: ChatStream, sessionKey: string, reply: unknown): Promise<void> {
    const { status, message, error } = (reply ?? {}) as { status?: unknown; message?: unknown; error?: { message?: unknown } };
    if (status === 'started' || status === 'in_flight' || status === undefined) return;
    if (status === 'cancelled' || status === 'aborted') stream.abort();
    else if (status !== 'ok') stream.fail(runFailed(typeof error?.message === 'string' ? error.message : `the run ended as ${String(status)}`, undefined));
    else {
      const answer = ChatMessage.safeParse(message);
      stream.complete(answer.success ? answer.data : await this.lastAnswer(sessionKey));
    }
  }

  private async lastAnswer(sessionKey: string): Promise<ChatMessage | undefined> {
    const history = (await this.history(sessionKey, { limit: 20 })) as { messages?: unknown[] } | undefined;
    const messages = (history?.messages ?? []).map((message) => ChatMessage.safeParse(message)).filter((parsed) => parsed.success);
    return messages.reverse().find(({ data }) => data.role === 'assistant')?.data;
  }

  private introduction(): ConnectInput | (() => Promise<ConnectInput>) {
    const { token } = this.options;
    return typeof token === 'function' ? async () => this.connectParams(await token()) : this.connectParams(token);
  }

  private connectParams(token: string | undefined): ConnectInput {
    const { client, scopes, caps } = this.options;
    return {
      minProtocol: PROTOCOL_VERSION,
      maxProtocol: PROTOCOL_VERSION,
      client: { id: 'gateway-client', version: '0.1.0', platform: 'plexus', mode: 'backend', ...client },
      role: 'operator',
      scopes: [...(scopes ?? [SCOPE.admin])],
      ...(caps === undefined ? {} : { caps: [...caps] }),
      ...(token === undefined ? {} : { auth: { token } }),
    };
  }
}

function globalSocket(url: string): SocketLike {
  if (typeof globalThis.WebSocket !== 'function') throw new TypeError('no global WebSocket here: pass createSocket');
  return new globalThis.WebSocket(url) as unknown as SocketLike;
}
