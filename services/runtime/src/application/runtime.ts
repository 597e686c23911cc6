import type { MeshFrameOf, SessionReport, StartSessionData } from '@plexus/vm-protocol';
import { LIMITS } from '@plexus/vm-protocol';
import { answerConfigUpdate } from '../domain/config-update.js';
import { cancelledRunId, type CommandFrame, type JournalState, type RunRecord, runIdOf, runKey, type UserMessage } from '../domain/journal-state.js';
import { firstRunSeq, type RunDependencies } from './execute-run.js';
import { AgentFailure, type AgentSession, type RuntimeAdapter } from './ports.js';
import { RunEmitter } from './run-emitter.js';
import { type QueuedRun, Session } from './session.js';
import type { Snapshots, SnapshotSource } from './snapshots.js';

/** Sessions at the same time; idle ones beyond it live on in the journal only. */
const MAX_SESSIONS = 1_000;

const ALL_BUSY = `This machine already has ${MAX_SESSIONS} sessions with something to do; try again later.`;

/** By `runtime_type`. */
export type RuntimeAdapters = Readonly<Partial<Record<StartSessionData['runtime_type'], RuntimeAdapter>>>;

/** Keeps the files of sessions. */
export interface SessionKeeper {
  begun(sessionId: string): unknown;
  /** It was stopped by somebody, not for lack of room, and has let go of everything. */
  ended(sessionId: string): unknown;
}

export type RuntimeDependencies = Omit<RunDependencies, 'agent'> & {
  readonly adapters: RuntimeAdapters;
  readonly snapshots?: Snapshots;
  readonly keeper?: SessionKeeper;
};

/** Answers every message of a session whose kind this runtime cannot run. */
const unsupported: AgentSession = {
  // biome-ignore lint/correctness/useYield: it has nothing to say before it fails
  async *run() {
    throw new AgentFailure('INVALID_REQUEST', 'This runtime has no adapter for the runtime type that the session asks for.');
  },
};

/** All sessions of this VM. Commands come in order, each once; what they change is in the journal already. */
export class Runtime {
  private readonly sessions = new Map<string, Session>();
  /** Messages that came before their session. */
  private readonly early = new Map<string, QueuedRun[]>();
  /** Sessions that were stopped and still have something to let go, by id. */
  private readonly closing = new Map<string, Promise<void>>();

  constructor(
    private readonly state: JournalState,
    private readonly dependencies: RuntimeDependencies,
  ) {}

  /** Takes up what the journal says is unfinished: after a restart within the same incarnation. */
  recover(): void {
    for (const data of this.state.sessions.values()) this.start(data);
    for (const run of [...this.state.openRuns()]) {
      if (!run.message) continue;
      // Its session was stopped, only the end is missing.
      if (run.cancelled && !this.state.sessions.has(run.sessionId))
        void this.emitter(run.sessionId, { ...run, message: run.message }).complete({ cancelled: true });
      else this.message(run, run.message);
    }
  }

  /** Carries out one command. The journal state already contains it. */
  dispatch(frame: CommandFrame): void {
    switch (frame.type) {
      case 'start_session':
        this.start(frame.data);
        return;
      case 'stop_session':
        this.stopSession(frame.data.session_id, frame.data.reason);
        return;
      case 'user_message': {
        const run = this.state.runs.get(runKey(frame.session_id, runIdOf(frame)));
        // The run looks for further messages itself, when it has answered the ones before.
        if (frame.data.metadata.steer) {
          if (!run?.steers?.some(({ text }) => text === frame.data.message)) this.noteUnheard(frame);
          return;
        }
        // The same run under another frame number was taken before: it is not executed twice.
        if (run?.message === frame) this.message(run, frame);
        else this.dependencies.log('info', 'message of a known run ignored', { sessionId: frame.session_id, runId: runIdOf(frame) });
        return;
      }
      case 'cancel':
        this.cancelMarked(frame);
        return;
      case 'config_update':
        for (const [id, session] of this.sessions) {
          const data = this.state.sessions.get(id);
          if (data) session.update(data);
        }
        this.dependencies.uplink.notice(answerConfigUpdate(frame, [...this.sessions.values()]));
    }
  }

  /** A further message whose run is over or has too many: without `steer_accepted` of the run the mesh answers it with a run of its own. */
  private noteUnheard(frame: MeshFrameOf<'user_message'>): void {
    const { message_id: messageId } = frame.data.metadata;
    this.dependencies.log('info', 'further message not taken along, the mesh answers it by itself', {
      sessionId: frame.session_id,
      runId: runIdOf(frame),
      messageId,
    });
  }

  /** Sessions with something to do; for heartbeats. */
  activeSessions(): string[] {
    return [...this.sessions.values()].filter((session) => session.isBusy).map((session) => session.id);
  }

  /** All sessions, for snapshots. */
  snapshotSources(): readonly SnapshotSource[] {
    return [...this.sessions.values()];
  }

  /** What a (re)connect tells the mesh about each session. */
  reports(): SessionReport[] {
    return [...this.sessions.values()].slice(0, MAX_SESSIONS).map(({ id, runningRunId, isBusy }) => ({
      session_id: id,
      ...(runningRunId !== undefined && { run_id: runningRunId }),
      run_state: isBusy ? 'running' : 'idle',
      snapshot_version: this.dependencies.snapshots?.versionOf(id) ?? 0,
    }));
  }

  /** Stops all work without ends; resolves when nothing runs any more. */
  async abandon(): Promise<void> {
    await Promise.all([...this.sessions.values()].map((session) => session.abandon()));
  }

  private start(data: StartSessionData): void {
    const known = this.sessions.get(data.session_id);
    if (known) {
      known.update(data);
      return;
    }
    if (this.sessions.size >= MAX_SESSIONS && !this.dropIdle()) {
      this.dependencies.log('warn', 'too many busy sessions, this one is not started', { sessionId: data.session_id, limit: MAX_SESSIONS });
      for (const run of this.takeEarly(data.session_id)) this.refuse(data.session_id, run, ALL_BUSY);
      return;
    }
    const agent = this.dependencies.adapters[data.runtime_type]?.start(data) ?? unsupported;
    const onRunEnd = (): void => void this.dependencies.snapshots?.take(session);
    const session: Session = new Session(data, agent, this.dependencies, onRunEnd, this.closing.get(data.session_id));
    this.sessions.set(data.session_id, session);
    this.dependencies.keeper?.begun(data.session_id);
    for (const run of this.takeEarly(data.session_id)) this.enqueue(session, run);
  }

  /** Lets the oldest session go that has nothing to do: it holds nothing that the journal does not. False when all are busy. */
  private dropIdle(): boolean {
    const idle = [...this.sessions.values()].find((session) => !session.isBusy);
    if (!idle) return false;
    this.sessions.delete(idle.id);
    void this.close(idle, 'idle');
    return true;
  }

  private async letGo(sessionId: string, session: Session | undefined, reason: string): Promise<void> {
    // One that made room for others may still be closing.
    await (session ? this.close(session, reason) : this.closing.get(sessionId));
    if (!this.sessions.has(sessionId)) this.dependencies.keeper?.ended(sessionId);
  }

  private close(session: Session, reason: string): Promise<void> {
    const closing = session.close(reason).finally(() => {
      if (this.closing.get(session.id) === closing) this.closing.delete(session.id);
    });
    this.closing.set(session.id, closing);
    return closing;
  }

  private takeEarly(sessionId: string): QueuedRun[] {
    const waiting = this.early.get(sessionId) ?? [];
    this.early.delete(sessionId);
    return waiting;
  }

  private stopSession(sessionId: string, reason: string): void {
    const session = this.sessions.get(sessionId);
    this.sessions.delete(sessionId);
    void this.letGo(sessionId, session, reason);
    for (const run of this.takeEarly(sessionId)) void this.emitter(sessionId, run).complete({ cancelled: true });
  }

  private message(run: RunRecord, message: UserMessage): void {
    let steered = 0;
    const queued: QueuedRun = {
      runId: run.runId,
      message,
      lastSeq: run.lastSeq,
      earlier: this.state.earlier.get(runKey(run.sessionId, run.runId)),
      nextSteer: () => run.steers?.[steered++],
      cancelled: run.cancelled,
    };
    const known = this.state.sessions.get(message.session_id);
    if (known && !this.sessions.has(message.session_id)) this.start(known);
    const session = this.sessions.get(message.session_id);
    if (session) {
      this.enqueue(session, queued);
      return;
    }
    if (known) {
      this.refuse(message.session_id, queued, ALL_BUSY);
      return;
    }
    const waiting = this.early.get(message.session_id) ?? [];
    if (waiting.length >= LIMITS.queuedMessagesPerSession || this.early.size >= MAX_SESSIONS) {
      this.refuse(message.session_id, queued, 'Too many messages wait for a session that was not started.');
      return;
    }
    this.early.set(message.session_id, [...waiting, queued]);
  }

  private enqueue(session: Session, run: QueuedRun): void {
    const { uplink } = this.dependencies;
    const ids = { session_id: session.id, run_id: run.runId };
    if (session.enqueue(run)) uplink.notice({ type: 'run_accepted', ...ids });
    else uplink.notice({ type: 'run_rejected', ...ids, code: 'QUEUE_FULL' });
  }

  /** The journal state says which runs a cancel means, so that a replay of the journal comes to the same. */
  private cancelMarked(frame: MeshFrameOf<'cancel'>): void {
    const { session_id: sessionId } = frame;
    const meant = cancelledRunId(frame);
    let found = false;
    for (const run of this.state.openRuns(sessionId)) {
      if (!run.cancelled) continue;
      found ||= meant === undefined || meant === run.runId;
      this.sessions.get(sessionId)?.cancel(run.runId, frame.data.reason ?? frame.reason ?? 'cancelled');
      for (const waiting of this.early.get(sessionId) ?? []) if (waiting.runId === run.runId) waiting.cancelled = true;
    }
    this.dependencies.uplink.notice({
      type: 'cancel_ack',
      session_id: sessionId,
      ...(meant !== undefined && { run_id: meant }),
      state: found ? 'cancelling' : 'not_running',
    });
  }

  private refuse(sessionId: string, run: QueuedRun, sentence: string): void {
    const emitter = this.emitter(sessionId, run);
    if (!run.cancelled) this.dependencies.uplink.notice({ type: 'run_rejected', session_id: sessionId, run_id: run.runId, code: 'QUEUE_FULL' });
    void (run.cancelled ? emitter.complete({ cancelled: true }) : emitter.fail('QUEUE_FULL', sentence));
  }

  private emitter(sessionId: string, run: QueuedRun): RunEmitter {
    return new RunEmitter(this.dependencies.uplink, { sessionId, runId: run.runId, nextSeq: firstRunSeq(run) });
  }
}
