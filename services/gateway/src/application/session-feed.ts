import { emptySessionStream, REMEMBERED_RUNS, type RunEnd, readSessionEvent, type SessionStreamState, sessionContracts } from '@plexus/contracts';
import { ownerKey } from '../domain/caller.js';
import { advanceRun, type ClientEvent, clientEvents, type RunView, type SessionEventData } from '../domain/chat-events.js';
import { clientMessage } from '../domain/transcript.js';
import { type ClientConnection, shareEvent } from './client-connection.js';
import type { Connections } from './connections.js';
import type { Log, SessionStreamMessage } from './ports.js';

/** A session event as it is stored, for readers that apply the reader rules themselves (replays). */
export interface StoredSessionEvent {
  readonly seq: number;
  readonly sessionId: string;
  readonly data: SessionEventData;
}

interface SessionView {
  state: SessionStreamState;
  /** The open runs; a session has one at a time, unless somebody breaks that rule. */
  readonly runs: Map<string, RunView>;
}

export interface FeedCounters {
  /** Events dropped by the reader rules. */
  stale: number;
  duplicate: number;
  afterEnd: number;
  /** Runs with missing numbers. */
  gaps: number;
  /** Messages that do not fit their contract. */
  unreadable: number;
}

/** Who takes an event of a session. */
interface Wanted {
  readonly own: (connection: ClientConnection) => boolean;
  readonly sessionKey: string;
  /** Of those who follow a session that is shared with them. */
  readonly follower: (connection: ClientConnection) => boolean;
  /** Only the newest of these counts. */
  readonly latestOf?: string;
}

/** Sessions whose reading state is kept; the one that was silent longest makes room. */
const MAX_SESSIONS = 20_000;

/**
 * Everything that happens in sessions, read once per process in stream order and handed to those who may see it: the sockets of the
 * session's owner, tenant watchers, replays, and whoever waits for the end of a run. Never waits for a receiver.
 */
export class SessionFeed {
  readonly counters: FeedCounters = { stale: 0, duplicate: 0, afterEnd: 0, gaps: 0, unreadable: 0 };
  private readonly sessions = new Map<string, SessionView>();
  private readonly runWaiters = new Map<string, Set<(end: RunEnd) => void>>();
  private readonly revocations = new Map<string, Set<(user: string | undefined) => void>>();
  private readonly watchers = new Map<string, Set<(event: StoredSessionEvent) => void>>();
  private position = 0;

  constructor(
    private readonly connections: Connections,
    /** Epoch of a VM as the scheduler last declared it; 0 when unknown. */
    private readonly epochOf: (vmId: string) => number,
    private readonly log: Log,
  ) {}

  /** Stream sequence of the last message that was taken. */
  get seq(): number {
    return this.position;
  }

  /** Takes the next message of the stream. */
  accept(message: SessionStreamMessage): void {
    this.position = message.seq;
    switch (message.name) {
      case 'event':
        this.acceptEvent(message);
        return;
      case 'message':
        this.acceptMessage(message);
        return;
      case 'changed':
        this.acceptChange(message);
        return;
      default:
        // Events of a newer version that have no place here yet.
        this.counters.unreadable += 1;
    }
  }

  /** Calls back at the end of a run of this owner. Returns how to stop that. */
  onRunEnd(owner: string, runId: string, listener: (end: RunEnd) => void): () => void {
    return subscribe(this.runWaiters, runKey(owner, runId), listener);
  }

  /** Calls back for every stored event of a session, as it is stored. Returns how to stop that. */
  watch(owner: string, sessionKey: string, listener: (event: StoredSessionEvent) => void): () => void {
    return subscribe(this.watchers, runKey(owner, sessionKey), listener);
  }

  /** Calls back when the grant of a user on a session is taken back, or without a user when the session is deleted. Returns how to stop that. */
  onRevoked(owner: string, sessionKey: string, listener: (user: string | undefined) => void): () => void {
    return subscribe(this.revocations, runKey(owner, sessionKey), listener);
  }

  private acceptEvent(message: SessionStreamMessage): void {
    const parsed = sessionContracts.sessionEvent.data.safeParse(message.data);
    if (!parsed.success || parsed.data.sessionId !== message.sessionId) {
      this.unreadable(message);
      return;
    }
    const data = parsed.data;
    const owner = ownerKey(message.tenant, data.owner);
    for (const listener of this.watchers.get(runKey(owner, data.sessionKey)) ?? []) {
      listener({ seq: message.seq, sessionId: data.sessionId, data });
    }

    const view = this.viewOf(message.tenant, data);
    const known = view.state.runs.some((run) => run.runId === data.runId);
    const { state, verdict } = readSessionEvent(view.state, data);
    view.state = state;
    if (verdict.kind === 'dropped') {
      this.counters[verdict.reason === 'stale-epoch' ? 'stale' : verdict.reason === 'duplicate' ? 'duplicate' : 'afterEnd'] += 1;
      return;
    }
    if ('gap' in verdict && verdict.gap !== undefined) {
      this.counters.gaps += 1;
      this.log.warn({ sessionId: data.sessionId, runId: data.runId, ...verdict.gap }, 'a run has missing numbers');
    }
    const run = data.runId === undefined || verdict.kind === 'marker' ? undefined : this.advance(view.runs, data.runId, data.runSeq);
    this.dispatch(owner, message.tenant, data, clientEvents(data, verdict, run, { first: !known, at: message.time, streamSeq: message.seq }));
    if (verdict.kind === 'end' && data.runId !== undefined) {
      view.runs.delete(data.runId);
      for (const listener of [...(this.runWaiters.get(runKey(owner, data.runId)) ?? [])]) listener(verdict.end);
    }
  }

  private advance(runs: Map<string, RunView>, runId: string, runSeq: number | undefined): RunView {
    const run = advanceRun(runs.get(runId), runId, runSeq);
    runs.delete(runId);
    runs.set(runId, run);
    if (runs.size > REMEMBERED_RUNS) runs.delete(runs.keys().next().value as string);
    return run;
  }

  private acceptMessage(message: SessionStreamMessage): void {
    const parsed = sessionContracts.sessionMessage.data.safeParse(message.data);
    if (!parsed.success) {
      this.unreadable(message);
      return;
    }
    const { sessionKey, sessionId, agentId, owner, message: stored } = parsed.data;
    const payload = { sessionKey, sessionId, agentId, messageId: stored.messageId, messageSeq: stored.seq, message: clientMessage(stored) };
    this.send(ownerKey(message.tenant, owner), message.tenant, owner, 'session.message', payload, false, {
      own: (connection) => connection.watchesSession(sessionKey),
      sessionKey,
      follower: () => true,
    });
  }

  private acceptChange(message: SessionStreamMessage): void {
    const parsed = sessionContracts.sessionChanged.data.safeParse(message.data);
    if (!parsed.success) {
      this.unreadable(message);
      return;
    }
    const { sessionKey, sessionId, agentId, owner, change, previousSessionId, revokedFrom } = parsed.data;
    if (previousSessionId !== undefined) this.sessions.delete(`${message.tenant}.${previousSessionId}`);
    const payload = { sessionKey, sessionId, agentId, reason: change, ts: message.time };
    this.send(ownerKey(message.tenant, owner), message.tenant, owner, 'sessions.changed', payload, false, {
      own: (connection) => connection.watchesSessionList,
      sessionKey,
      follower: (connection) => connection.watchesSessionList,
      // Clients read the list again when they hear of a change; older news of the same session tell them nothing more.
      latestOf: `sessions.changed ${sessionId}`,
    });
    if (revokedFrom !== undefined || change === 'deleted') this.revoke(ownerKey(message.tenant, owner), sessionKey, revokedFrom);
  }

  /** Who watches by a grant that is gone watches no more. */
  private revoke(owner: string, sessionKey: string, user: string | undefined): void {
    for (const connection of [...this.connections.followersOf(owner, sessionKey)]) {
      if (user === undefined || connection.principal.user === user) this.connections.unfollow(connection, owner, sessionKey);
    }
    for (const listener of [...(this.revocations.get(runKey(owner, sessionKey)) ?? [])]) listener(user);
  }

  private dispatch(owner: string, tenant: string, data: SessionEventData, events: readonly ClientEvent[]): void {
    for (const { event, payload, tool = false, droppable = false } of events) {
      const takesTools = (connection: ClientConnection) => !tool || connection.caps.has('tool-events');
      this.send(owner, tenant, data.owner, event, payload, droppable, {
        own: (connection) => connection.wantsSession(data.sessionKey) && takesTools(connection),
        sessionKey: data.sessionKey,
        follower: takesTools,
      });
    }
  }

  /** Serialises once for the owner's connections, and once more with the owner's name for those who watch the tenant or follow a session shared with them. */
  private send(owner: string, tenant: string, user: string, event: string, payload: object, droppable: boolean, wanted: Wanted): void {
    const own = this.connections.ofOwner(owner);
    const watching = this.connections.watchersOf(tenant);
    const following = this.connections.followersOf(owner, wanted.sessionKey);
    if (own.size > 0) {
      const shared = shareEvent(event, payload, droppable, { latestOf: wanted.latestOf });
      for (const connection of own) if (wanted.own(connection)) connection.send(shared);
    }
    if (watching.size > 0 || following.size > 0) {
      const named = shareEvent(event, { ...payload, owner: user }, droppable, { latestOf: wanted.latestOf });
      for (const connection of watching) if (!own.has(connection) && wanted.own(connection)) connection.send(named);
      for (const connection of following) if (!own.has(connection) && !watching.has(connection) && wanted.follower(connection)) connection.send(named);
    }
  }

  private viewOf(tenant: string, data: SessionEventData): SessionView {
    const key = `${tenant}.${data.sessionId}`;
    const known = this.sessions.get(key);
    if (known !== undefined) {
      // Most recently used last, so that the first entry is the one to forget.
      this.sessions.delete(key);
      this.sessions.set(key, known);
      return known;
    }
    const view: SessionView = { state: emptySessionStream(data.vmId === undefined ? 0 : this.epochOf(data.vmId)), runs: new Map() };
    this.sessions.set(key, view);
    if (this.sessions.size > MAX_SESSIONS) this.sessions.delete(this.sessions.keys().next().value as string);
    return view;
  }

  private unreadable(message: SessionStreamMessage): void {
    this.counters.unreadable += 1;
    this.log.warn({ streamSeq: message.seq, name: message.name }, 'a message of the session stream does not fit its contract');
  }
}

function runKey(owner: string, id: string): string {
  return `${owner}\u0000${id}`;
}

function subscribe<T>(index: Map<string, Set<T>>, key: string, listener: T): () => void {
  const set = index.get(key) ?? new Set<T>();
  index.set(key, set.add(listener));
  return () => {
    set.delete(listener);
    if (set.size === 0 && index.get(key) === set) index.delete(key);
  };
}
