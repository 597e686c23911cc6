import type { MethodName, MethodParams } from '@plexus/client-protocol';
import type { InputOf, ResponseOf, RpcContract } from '@plexus/contracts';
import type { ClientConnection } from '../client-connection.js';
import type { Connections } from '../connections.js';
import type { HealthNews } from '../health-news.js';
import type { InboxFeeds } from '../inbox-feeds.js';
import type { LogLines, Mesh, Tenants } from '../ports.js';
import type { Presence } from '../presence.js';
import type { SessionFeed } from '../session-feed.js';
import type { Nodes } from '../nodes/nodes.js';
import type { NamedSession } from '../turns.js';
import type { WatchedRuns } from '../watch/watched-runs.js';

/** What handlers of methods work with; one per process. */
export interface MethodServices {
  readonly mesh: Mesh;
  readonly tenants: Tenants;
  readonly connections: Connections;
  readonly sessions: SessionFeed;
  readonly inboxes: InboxFeeds;
  /** Who is connected, in the whole mesh. */
  readonly presence: Presence;
  /** Runs that are cancelled when nobody watches them any more. */
  readonly watchedRuns: WatchedRuns;
  /** Devices that lend their abilities, on every gateway. */
  readonly nodes: Nodes;
  /** The newest lines of this process's log. */
  readonly logTail: LogLines;
  readonly gatewayId: string;
  readonly version: string;
  /** Wall clock, ms. */
  readonly now: () => number;
  readonly startedAt: number;
  /** Whether the process can do its work now; false with the reasons. */
  readonly health: () => { readonly ready: boolean; readonly failing: readonly string[] };
  /** Tells clients of changes of it. */
  readonly news: Pick<HealthNews, 'stateVersion'>;
  /** What was dropped, refused or skipped since the start, by reason; for administrators. */
  readonly counters: () => Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** One call of one method. */
export interface MethodCall {
  readonly services: MethodServices;
  readonly connection: ClientConnection;
  /** Aborted when the connection is gone. */
  readonly signal: AbortSignal;
  /** Asks the owner of the answer, on behalf of the caller. */
  ask<C extends RpcContract>(rpc: C, data: InputOf<C>, timeoutMs?: number): Promise<ResponseOf<C>>;
  /** The same for what changes something: it is not broken off when the connection goes, because what somebody said before they went was said. */
  tell<C extends RpcContract>(rpc: C, data: InputOf<C>): Promise<ResponseOf<C>>;
  /**
   * Does work on a session behind all work on it that this connection asked for before; without a session behind all of its work on sessions. To be called
   * before anything is awaited, and never inside other such work.
   */
  inTurn<T>(session: NamedSession | undefined, work: () => Promise<T>): Promise<T>;
  /** Sends a response before the final one. */
  respond(payload: unknown): void;
}

/** Answers a method with its payload, or throws a PlexusError. */
export type MethodHandler<M extends MethodName> = (params: MethodParams<M>, call: MethodCall) => Promise<unknown> | unknown;
export type MethodHandlers = { readonly [M in MethodName]: MethodHandler<M> };
