import type { Log } from '../ports.js';

/** What a plugin module exports as its default: this, or only its `register`. */
export interface GatewayPlugin {
  /** For logs; default: the name under which the configuration has it. */
  readonly name?: string;
  /** Called once, before the gateway listens. A throw keeps the gateway from starting. */
  register(api: PluginApi): void | Promise<void>;
  /** Called when the gateway stops. */
  close?(): void | Promise<void>;
}

/** Everything that a plugin gets. There is no secret in it. */
export interface PluginApi {
  readonly log: Log;
  /** Answers requests for exactly this path, before any generic handler. One method and path belong to one plugin. */
  route(method: string, path: string, handler: PluginHandler, options?: RouteOptions): void;
  /** Is asked about every request that is nobody else's, in the order of registration, until one has handled it. */
  handle(handler: PluginHandler): void;
  readonly nodes: NodeBroadcasts;
}

export interface RouteOptions {
  /** The gateway proves the caller by its bearer token and demands this scope; without it anybody may call. */
  readonly scope?: string;
}

/** Events to nodes on every gateway. Best effort: a node that is away misses them. */
export interface NodeBroadcasts {
  /** To the nodes that subscribed to this session of this user. */
  sendToSession(session: { readonly tenant: string; readonly owner: string; readonly sessionKey: string }, event: string, payload: unknown): void;
  /** To the nodes of the tenant that subscribed to any session. */
  sendToAllSubscribed(tenant: string, event: string, payload: unknown): void;
  /** To all nodes of the tenant. */
  sendToAllConnected(tenant: string, event: string, payload: unknown): void;
}

/** Answers a request; `undefined`: not mine, ask the next. A throw is answered with 500. */
export type PluginHandler = (request: PluginRequest) => PluginAnswer | undefined | Promise<PluginAnswer | undefined>;

export interface PluginRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** As they came, in lower case; without `authorization` when the gateway has proved the caller. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  /** Of the client, through trusted proxies. */
  readonly address: string;
  /** Only on routes with a scope. */
  readonly caller?: { readonly tenant: string; readonly user: string; readonly scopes: readonly string[] };
  /** Aborts when the time is up or the client has gone. */
  readonly signal: AbortSignal;
}

export interface PluginAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text, bytes, or anything else as JSON. */
  readonly body?: unknown;
}
