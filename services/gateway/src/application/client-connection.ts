import { CLIENT_CAPS, encodeEventHead, scopeOfEvent, type StateVersion } from '@plexus/client-protocol';
import { hasScope, type Principal } from '@plexus/contracts';
import { type Credential, ownerKey } from '../domain/caller.js';
import type { Introduction } from '../domain/introduction.js';

/** What may become of an event while it waits behind a socket that takes nothing. */
export interface Waiting {
  /** Goes when the live queue is cleared. */
  readonly live: boolean;
  /** A newer event of this name takes its place. */
  readonly latestOf?: string | undefined;
}

/** One event for many connections: serialised once, numbered by each connection. */
export interface SharedEvent {
  readonly event: string;
  readonly head: Buffer;
  /** What the head says, for readers that are no gateway clients. */
  readonly payload: unknown;
  /** A connection that is behind may miss it. */
  readonly droppable: boolean;
  /** The scope that it takes, `everybody`, or `nobody`. */
  readonly scope: string;
  readonly waiting: Waiting;
  /** Also for a connection that lags: whoever sends it keeps to the pace of that connection. */
  readonly paced?: boolean | undefined;
}

export interface Sharing {
  /** Only the newest event of this name counts: it takes the place of an older one that still waits. */
  readonly latestOf?: string | undefined;
  readonly paced?: boolean | undefined;
  readonly stateVersion?: StateVersion | undefined;
}

const LIVE: Waiting = { live: true };
const KEPT: Waiting = { live: false };

export function shareEvent(event: string, payload: unknown, droppable = false, { latestOf, paced, stateVersion }: Sharing = {}): SharedEvent {
  const head = Buffer.from(encodeEventHead(event, payload, stateVersion));
  return { event, head, payload, droppable, scope: scopeOfEvent(event), waiting: waitingOf(event, latestOf, paced), paced };
}

/** Items of the inbox and what is paced stay when the live queue is cleared. */
function waitingOf(event: string, latestOf: string | undefined, paced: boolean | undefined): Waiting {
  if (paced === true || event === 'inbox.item') return KEPT;
  return latestOf === undefined ? LIVE : { live: true, latestOf };
}

/** What the socket offers to the use cases. */
export interface ClientWire {
  /** Queues an event. False: it was not taken, because the connection is behind or gone. */
  event(event: SharedEvent): boolean;
  /** Queues a response frame. */
  response(frame: string): void;
  close(code: number, reason: string): void;
  readonly bufferedBytes: number;
  /** False once the socket is closing. */
  readonly open: boolean;
}

/** A client after its hello: who it is, what it may see, what it subscribed to. */
export class ClientConnection {
  // Most connections watch and follow nothing: their sets are made when they do.
  private watched: Set<string> | undefined;
  private following: Set<string> | undefined;
  /** Wants `sessions.changed`. */
  watchesSessionList = false;
  /** It has resumed or acknowledged: whatever it misses while it is behind comes from its inbox. */
  keepsInbox = false;
  /** Is behind: misses live events until it has caught up with its inbox. */
  lagging = false;
  readonly owner: string;

  constructor(
    readonly id: string,
    readonly credential: Credential,
    readonly principal: Principal,
    readonly introduction: Introduction,
    readonly connectedAt: number,
    readonly remoteAddress: string,
    private readonly wire: ClientWire,
  ) {
    this.owner = ownerKey(credential.tenant, credential.user);
  }

  get role(): 'operator' | 'node' {
    return this.introduction.role;
  }

  get caps(): ReadonlySet<string> {
    return this.introduction.caps;
  }

  /** Session keys whose `session.message` (and with session-scoped events also chat and agent) it wants. */
  get watchedSessions(): Set<string> {
    this.watched ??= new Set();
    return this.watched;
  }

  /** Sessions of others that it sees, as the index of connections names them. */
  get followed(): Set<string> {
    this.following ??= new Set();
    return this.following;
  }

  get followsOthers(): boolean {
    return this.following !== undefined && this.following.size > 0;
  }

  watchesSession(sessionKey: string): boolean {
    return this.watched?.has(sessionKey) === true;
  }

  get open(): boolean {
    return this.wire.open;
  }

  get bufferedBytes(): number {
    return this.wire.bufferedBytes;
  }

  /** Sees events of every user of its tenant, by its own wish and with the scope for it. */
  get watchesTenant(): boolean {
    return this.caps.has(CLIENT_CAPS.tenantEvents) && hasScope(this.principal.scopes, 'operator.admin');
  }

  has(scope: string): boolean {
    return hasScope(this.principal.scopes, scope);
  }

  /** Whether its scopes cover events of this family. */
  mayReceive(event: string, scope = scopeOfEvent(event)): boolean {
    // A node has no scopes; of the sessions it subscribed to it gets what is said, as real gateways send it.
    if (this.role === 'node' && (event === 'chat' || event === 'agent')) return true;
    return scope === 'everybody' || (scope !== 'nobody' && this.has(scope));
  }

  /** Whether it wants live events of this session: all of its owner's, unless it asked for chosen ones only. */
  wantsSession(sessionKey: string): boolean {
    if (this.role === 'node') return this.watchesSession(sessionKey);
    return !this.caps.has(CLIENT_CAPS.sessionScopedEvents) || this.watchesSession(sessionKey);
  }

  /** Sends an event if its scopes allow it. False: it was not taken. */
  send(event: SharedEvent): boolean {
    return this.mayReceive(event.event, event.scope) && this.wire.event(event);
  }

  /** It has everything of its inbox again, and gets live events from now on. */
  caughtUp(): void {
    this.lagging = false;
  }

  /** Sends an event that is meant for this node. */
  sendToNode(event: SharedEvent): void {
    this.wire.event(event);
  }

  respond(frame: string): void {
    this.wire.response(frame);
  }

  close(code: number, reason: string): void {
    this.wire.close(code, reason);
  }
}
