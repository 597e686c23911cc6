import { emptySessionStream, plexusError, readSessionEvent, routingContracts as routing, type SessionStreamState, sessionContracts } from '@plexus/contracts';
import type { Principal } from '@plexus/contracts';
import { ownerKey } from '../domain/caller.js';
import type { SessionEventData } from '../domain/chat-events.js';
import type { Mesh, SessionArchive } from './ports.js';
import type { SessionFeed, StoredSessionEvent } from './session-feed.js';

/** Where the events of a followed session go. */
export interface SessionSink {
  event(id: number, type: string, data: Record<string, unknown>): void;
  /** What the follower has is no longer a beginning that can be continued: it must read the whole state again. */
  resync(): void;
  /** The follower may not see the session any more. */
  end(): void;
}

/** The newest events of a session that can be replayed. */
const MAX_REPLAY = 500;
/** Live events that may wait while a replay is read. */
const MAX_WAITING = 5_000;

/**
 * Follows one session of the caller: first what came behind `lastEventId` (a stream sequence), then what comes, in one order and without
 * repeats. With `owner` one that is shared with the caller: rejects when it is not, and ends when it is no more. A reset of the session is followed into its next incarnation. Resolves with the canonical key and the function that ends it.
 */
export async function followSession(
  services: {
    readonly mesh: Mesh;
    readonly feed: Pick<SessionFeed, 'watch' | 'onRevoked'>;
    readonly archive: SessionArchive;
    readonly epochOf: (vmId: string) => number;
  },
  principal: Principal,
  requestedKey: string,
  lastEventId: number | undefined,
  sink: SessionSink,
  signal: AbortSignal,
  owner?: string,
): Promise<{ readonly sessionKey: string; readonly stop: () => void }> {
  const { tenant } = principal;
  const { sessionKey, session } = await services.mesh.call(routing.describeSession, tenant, of(requestedKey, owner), { principal, signal });
  const follower = new Follower(sink, services.epochOf);
  // Listening begins before the replay is read, so that nothing falls between the two.
  const ownerOfSession = ownerKey(tenant, owner ?? principal.user ?? '');
  const stopWatching = services.feed.watch(ownerOfSession, sessionKey, (event) => follower.live(event));
  let following: 'begins' | 'goes on' | 'revoked' = 'begins';
  const stopListening =
    owner === undefined || owner === principal.user
      ? () => undefined
      : services.feed.onRevoked(ownerOfSession, sessionKey, (user) => {
          if (user !== undefined && user !== principal.user) return;
          if (following === 'goes on') sink.end();
          following = 'revoked';
        });
  const isRevoked = () => following === 'revoked';
  const stop = () => {
    stopWatching();
    stopListening();
  };
  try {
    if (owner !== undefined && owner !== principal.user) {
      // A grant that was taken back before anybody listened for that.
      const { access } = await services.mesh.call(routing.sessionAccess, tenant, { sessionKey, owner }, { principal, signal });
      if (access === 'none') throw plexusError('SESSION_NOT_FOUND', { details: { key: sessionKey } });
    }
    if (lastEventId !== undefined) {
      const stored = session === undefined ? [] : await services.archive.readSession(tenant, session.sessionId, lastEventId, MAX_REPLAY + 2, signal);
      follower.replay(stored.flatMap(readStored), lastEventId);
    }
    if (isRevoked()) throw plexusError('SESSION_NOT_FOUND', { details: { key: sessionKey } });
    follower.goLive();
    following = 'goes on';
    return { sessionKey, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

const of = (sessionKey: string, owner: string | undefined) => (owner === undefined ? { sessionKey } : { sessionKey, owner });

function readStored(message: { seq: number; sessionId: string; data: unknown }): StoredSessionEvent[] {
  const parsed = sessionContracts.sessionEvent.data.safeParse(message.data);
  return parsed.success ? [{ seq: message.seq, sessionId: message.sessionId, data: parsed.data }] : [];
}

/** Applies the reader rules to one follower's view of a session. */
class Follower {
  private waiting: StoredSessionEvent[] | undefined = [];
  private overflowed = false;
  private lastSeq = 0;
  private sessionId: string | undefined;
  private state: SessionStreamState = emptySessionStream();

  constructor(
    private readonly sink: SessionSink,
    private readonly epochOf: (vmId: string) => number,
  ) {}

  live(event: StoredSessionEvent): void {
    if (this.waiting === undefined) this.take(event, true);
    else if (this.waiting.length < MAX_WAITING) this.waiting.push(event);
    else this.overflowed = true;
  }

  /** `stored` begins with the event that the follower saw last, if that still exists; otherwise something may be missing. */
  replay(stored: readonly StoredSessionEvent[], lastEventId: number): void {
    const [first, ...rest] = stored;
    if (first === undefined || first.seq !== lastEventId || rest.length > MAX_REPLAY) {
      this.lastSeq = stored.at(-1)?.seq ?? lastEventId;
      this.sink.resync();
      return;
    }
    // The past has the epochs of its time: those that came since are raised by the markers of the replay itself.
    this.sessionId = first.sessionId;
    this.state = emptySessionStream(first.data.epoch ?? 0);
    this.take(first, false);
    for (const event of rest) this.take(event, true);
  }

  goLive(): void {
    const waiting = this.waiting ?? [];
    this.waiting = undefined;
    if (this.overflowed) this.sink.resync();
    for (const event of waiting) if (event.seq > this.lastSeq) this.take(event, true);
  }

  private take({ seq, sessionId, data }: StoredSessionEvent, show: boolean): void {
    this.lastSeq = seq;
    if (sessionId !== this.sessionId) {
      this.sessionId = sessionId;
      this.state = emptySessionStream(data.vmId === undefined ? 0 : this.epochOf(data.vmId));
    }
    const { state, verdict } = readSessionEvent(this.state, data);
    this.state = state;
    if (show && (verdict.kind === 'event' || verdict.kind === 'end')) this.sink.event(seq, data.event.type, shown(data));
  }
}

function shown(data: SessionEventData): Record<string, unknown> {
  const { sessionKey, runId, runSeq, agentId, event } = data;
  return {
    ...event,
    sessionKey,
    ...(agentId === undefined ? {} : { agentId }),
    ...(runId === undefined ? {} : { runId }),
    ...(runSeq === undefined ? {} : { runSeq }),
  };
}
