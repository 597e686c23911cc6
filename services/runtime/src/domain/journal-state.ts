import type { MeshFrameOf, StartSessionData } from '@plexus/vm-protocol';

export type UserMessage = MeshFrameOf<'user_message'>;

/** What the runtime knows of one run. */
export interface RunRecord {
  readonly runId: string;
  readonly sessionId: string;
  /** Highest run_seq handed to the uplink; 0 = none. */
  lastSeq: number;
  ended: boolean;
  cancelled: boolean;
  /** Kept until the run has ended: what to execute. */
  message?: UserMessage;
  /** Further messages for the run, in the order they came; kept as long as `message`. */
  steers?: { readonly id?: string; readonly text: string }[];
  /** Kept until the mesh has it: the serialised end event. */
  end?: { readonly fseq: number; readonly data: string };
}

/** What an earlier incarnation left about a run that the mesh may hand over again. */
export interface EarlierRun {
  readonly sessionId: string;
  readonly runId: string;
  readonly lastSeq: number;
  /** Set when the run had ended but the mesh never got it: the serialised end event, to be sent instead of a second execution. */
  readonly end?: string;
}

/** One line of the journal. `k` names the kind; kinds are never reused. */
export type JournalEntry =
  | { readonly k: 'init' }
  | { readonly k: 'mark'; readonly received: number; readonly acked: number }
  | { readonly k: 'start'; readonly data: StartSessionData }
  | { readonly k: 'run'; readonly run: RunRecord }
  | { readonly k: 'earlier'; readonly run: EarlierRun }
  | { readonly k: 'down'; readonly fseq: number; readonly frame?: CommandFrame }
  | {
      readonly k: 'up';
      readonly fseq: number;
      readonly text: string;
      readonly sessionId: string;
      readonly runId: string;
      readonly runSeq: number;
      readonly end?: string;
    }
  /** A frame that was written as `up` before the file was rewritten; its effect is in the `run` entries. */
  | { readonly k: 'spool'; readonly fseq: number; readonly text: string }
  | { readonly k: 'ack'; readonly fack: number }
  /** The session's newest snapshot that was sent or handed over, without its content. */
  | { readonly k: 'snapshot'; readonly sessionId: string; readonly version: number; readonly hash?: string };

/** Frames of the mesh that change what has to be done; others are only counted. */
export type CommandFrame = MeshFrameOf<'start_session'> | MeshFrameOf<'stop_session'> | UserMessage | MeshFrameOf<'cancel'> | MeshFrameOf<'config_update'>;

/** Ended runs that are remembered, so that a repeated message does not execute them again. */
const MAX_ENDED_RUNS = 10_000;
const MAX_EARLIER_RUNS = 1_000;
/** Sessions that are remembered. */
const MAX_SESSIONS = 10_000;
/** Further messages that one run takes. */
const MAX_STEERS = 20;

/** Names a run within this VM. A run id alone does not: callers choose it, and those of two sessions may choose the same. */
export const runKey = (sessionId: string, runId: string): string => `${sessionId}/${runId}`;

/** The run that a message names; one without a name gets one that is the same after every replay of the journal. */
export function runIdOf(message: UserMessage): string {
  return message.data.metadata.run_id ?? `message-${message.fseq ?? 0}`;
}

/** The run that a cancel names; undefined = whatever runs in the session. */
export function cancelledRunId(frame: MeshFrameOf<'cancel'>): string | undefined {
  return frame.run_id ?? frame.data.run_id;
}

/** Whether an end can stand alone, after a reset: one whose text was only in the chunks cannot. */
function tellsAll(data: string): boolean {
  const event = JSON.parse(data) as { type: string; content?: unknown };
  return event.type !== 'execution_complete' || typeof event.content === 'string';
}

/**
 * Everything that has to outlive the process, as the fold of the journal's entries. The live runtime applies each entry as it writes it,
 * a restarted one applies the whole file: both see the same state.
 */
export class JournalState {
  /** The mesh has accepted this incarnation: the one-time ticket is spent. */
  initialised = false;
  /** Highest downlink frame in the journal: what may be acked. */
  received = 0;
  /** Highest uplink frame that the mesh acked. */
  acked = 0;
  /** The one that was started or written to last comes last. */
  readonly sessions = new Map<string, StartSessionData>();
  /** By `runKey`, as `earlier`. */
  readonly runs = new Map<string, RunRecord>();
  readonly earlier = new Map<string, EarlierRun>();
  /** By session: versions rise over all incarnations. The one that was noted last comes last. */
  readonly snapshots = new Map<string, { readonly version: number; readonly hash?: string }>();
  private ended = 0;
  private readonly unackedEnds: RunRecord[] = [];

  apply(entry: JournalEntry): void {
    switch (entry.k) {
      case 'init':
        this.initialised = true;
        return;
      case 'mark':
        this.received = entry.received;
        this.acked = entry.acked;
        return;
      case 'start':
        this.remember(entry.data);
        return;
      case 'run':
        this.addRun(entry.run);
        return;
      case 'earlier':
        this.earlier.set(runKey(entry.run.sessionId, entry.run.runId), entry.run);
        return;
      case 'down':
        this.received = entry.fseq;
        if (entry.frame) this.command(entry.frame);
        return;
      case 'up':
        this.sent(entry);
        return;
      case 'ack':
        this.acknowledge(entry.fack);
        return;
      case 'snapshot':
        this.noteSnapshot(entry.sessionId, entry.version, entry.hash);
        return;
      case 'spool':
    }
  }

  private command(frame: CommandFrame): void {
    switch (frame.type) {
      case 'start_session':
        this.remember(frame.data);
        if (frame.data.snapshot) this.noteSnapshot(frame.data.session_id, frame.data.snapshot.version);
        return;
      case 'stop_session':
        this.sessions.delete(frame.data.session_id);
        for (const run of this.openRuns(frame.data.session_id)) run.cancelled = true;
        return;
      case 'user_message': {
        const runId = runIdOf(frame);
        const session = this.sessions.get(frame.session_id);
        if (session) this.remember(session);
        if (frame.data.metadata.steer) this.steer(runId, frame);
        else if (!this.runs.has(runKey(frame.session_id, runId)))
          this.addRun({ runId, sessionId: frame.session_id, lastSeq: 0, ended: false, cancelled: false, message: frame });
        return;
      }
      case 'cancel': {
        const runId = cancelledRunId(frame);
        for (const run of this.openRuns(frame.session_id)) {
          if (runId !== undefined && run.runId !== runId) continue;
          run.cancelled = true;
          // Runs of a session go one after the other: the oldest without an end is the one that is going on.
          if (runId === undefined) return;
        }
        return;
      }
      case 'config_update': {
        const sessions = frame.data.session_id === undefined ? [...this.sessions.values()] : [this.sessions.get(frame.data.session_id)];
        for (const session of sessions) {
          if (!session) continue;
          const { agent_config: settings, skill_index, mcp_servers } = frame.data;
          const lists = { ...(skill_index && { skill_index }), ...(mcp_servers && { mcp_servers }) };
          this.sessions.set(session.session_id, { ...session, ...lists, agent_config: { ...session.agent_config, ...settings } });
        }
      }
    }
  }

  private remember(session: StartSessionData): void {
    this.sessions.delete(session.session_id);
    this.sessions.set(session.session_id, session);
    if (this.sessions.size > MAX_SESSIONS) this.sessions.delete(this.sessions.keys().next().value as string);
  }

  /** A lower version than the known one says nothing new. */
  private noteSnapshot(sessionId: string, version: number, hash?: string): void {
    const known = this.snapshots.get(sessionId);
    if (known && known.version >= version) return;
    this.snapshots.delete(sessionId);
    this.snapshots.set(sessionId, { version, ...(hash !== undefined && { hash }) });
    if (this.snapshots.size > MAX_SESSIONS) this.snapshots.delete(this.snapshots.keys().next().value as string);
    const session = this.sessions.get(sessionId);
    // What was handed over is in the workspace by now: the session has said something newer.
    if (hash !== undefined && session?.snapshot?.body !== undefined)
      this.sessions.set(sessionId, { ...session, snapshot: { version: session.snapshot.version } });
  }

  private steer(runId: string, frame: UserMessage): void {
    const run = this.runs.get(runKey(frame.session_id, runId));
    const id = frame.data.metadata.message_id;
    if (!run || run.ended || run.steers?.length === MAX_STEERS || (id !== undefined && run.steers?.some((steer) => steer.id === id))) return;
    run.steers ??= [];
    run.steers.push({ ...(id !== undefined && { id }), text: frame.data.message });
  }

  private addRun(run: RunRecord): void {
    const own = { ...run };
    this.runs.set(runKey(run.sessionId, run.runId), own);
    if (own.ended) this.noteEnded(own);
  }

  private sent(entry: Extract<JournalEntry, { k: 'up' }>): void {
    const run = this.runs.get(runKey(entry.sessionId, entry.runId));
    if (!run) return;
    run.lastSeq = Math.max(run.lastSeq, entry.runSeq);
    if (entry.end === undefined || run.ended) return;
    run.ended = true;
    run.message = undefined;
    run.steers = undefined;
    run.end = { fseq: entry.fseq, data: entry.end };
    this.noteEnded(run);
  }

  private noteEnded(run: RunRecord): void {
    if (run.end) this.unackedEnds.push(run);
    this.ended++;
    if (this.ended <= MAX_ENDED_RUNS) return;
    for (const [key, candidate] of this.runs) {
      if (!candidate.ended || candidate.end) continue;
      this.runs.delete(key);
      this.ended--;
      return;
    }
  }

  private acknowledge(fack: number): void {
    if (fack <= this.acked) return;
    this.acked = fack;
    while (this.unackedEnds.length > 0 && ((this.unackedEnds[0] as RunRecord).end?.fseq ?? 0) <= fack) (this.unackedEnds.shift() as RunRecord).end = undefined;
  }

  /** Runs without an end, oldest first. */
  *openRuns(sessionId?: string): Generator<RunRecord, void, undefined> {
    for (const run of this.runs.values()) if (!run.ended && (sessionId === undefined || run.sessionId === sessionId)) yield run;
  }

  /** The shortest list of entries that folds to this state. Frames that wait for an ack are the spool's and not among them. */
  *entries(): Generator<JournalEntry, void, undefined> {
    if (this.initialised) yield { k: 'init' };
    yield { k: 'mark', received: this.received, acked: this.acked };
    for (const run of this.earlier.values()) yield { k: 'earlier', run };
    for (const data of this.sessions.values()) yield { k: 'start', data };
    yield* this.snapshotEntries();
    for (const run of this.runs.values()) yield { k: 'run', run };
  }

  private *snapshotEntries(): Generator<JournalEntry, void, undefined> {
    for (const [sessionId, snapshot] of this.snapshots) yield { k: 'snapshot', sessionId, ...snapshot };
  }

  /** What the next incarnation has to know: runs without an end, ends that never arrived, and how far snapshots were numbered. */
  *legacy(): Generator<JournalEntry, void, undefined> {
    const runs = new Map(this.earlier);
    for (const [key, { sessionId, runId, lastSeq, ended, end }] of this.runs) {
      if (!ended) runs.set(key, { sessionId, runId, lastSeq });
      else if (end && tellsAll(end.data)) runs.set(key, { sessionId, runId, lastSeq, end: end.data });
      else if (end) runs.set(key, { sessionId, runId, lastSeq });
      else runs.delete(key);
    }
    for (const run of [...runs.values()].slice(-MAX_EARLIER_RUNS)) yield { k: 'earlier', run };
    // Without what they held: the last one may have been lost with this incarnation, so the next one says it again.
    for (const [sessionId, { version }] of this.snapshots) yield { k: 'snapshot', sessionId, version };
  }
}
