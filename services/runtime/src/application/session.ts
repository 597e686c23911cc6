import { LIMITS, type StartSessionData } from '@plexus/vm-protocol';
import type { EarlierRun, UserMessage } from '../domain/journal-state.js';
import { executeRun, firstRunSeq, RunCancelled, type RunDependencies, type Steer } from './execute-run.js';
import type { AgentSession, SnapshotBody } from './ports.js';
import { RunEmitter } from './run-emitter.js';

export interface QueuedRun {
  readonly runId: string;
  readonly message: UserMessage;
  readonly lastSeq: number;
  readonly earlier?: EarlierRun;
  readonly nextSteer?: () => Steer | undefined;
  /** Cancelled before it began. */
  cancelled?: boolean;
}

interface CurrentRun {
  readonly runId: string;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** One conversation: its runs go one after the other, each message gets exactly one end. */
export class Session {
  /** By run id, the oldest first. */
  private readonly waiting = new Map<string, QueuedRun>();
  private current: CurrentRun | undefined;
  private isHeld: boolean;
  private readonly shutdown = new AbortController();

  constructor(
    private data: StartSessionData,
    private readonly agent: AgentSession,
    private readonly dependencies: Omit<RunDependencies, 'agent'>,
    /** Called after each run. */
    private readonly onRunEnd: () => void = () => undefined,
    /** What the session of the same id before this one still uses: nothing begins until that is let go. Never rejects. */
    private readonly before?: Promise<void>,
  ) {
    this.isHeld = before !== undefined;
    void before?.then(() => {
      this.isHeld = false;
      this.startNext();
    });
  }

  get id(): string {
    return this.data.session_id;
  }

  get runningRunId(): string | undefined {
    return this.current?.runId;
  }

  get isBusy(): boolean {
    return this.current !== undefined || this.waiting.size > 0;
  }

  /** New settings count from the next run on. */
  update(data: StartSessionData): void {
    this.data = data;
    this.agent.update?.(data);
  }

  /** State for the mesh; undefined = nothing new. */
  async snapshot(): Promise<SnapshotBody | undefined> {
    return this.agent.snapshot?.();
  }

  /** Takes a message. False for one too many, which ends at once with QUEUE_FULL. */
  enqueue(run: QueuedRun): boolean {
    if (this.waiting.size >= LIMITS.queuedMessagesPerSession) {
      void this.refuse(run);
      return false;
    }
    this.waiting.set(run.runId, run);
    this.startNext();
    return true;
  }

  private async refuse(run: QueuedRun): Promise<void> {
    const emitter = new RunEmitter(this.dependencies.uplink, { sessionId: this.id, runId: run.runId, nextSeq: firstRunSeq(run) });
    await emitter.fail('QUEUE_FULL', `This session already has ${LIMITS.queuedMessagesPerSession} messages waiting; try again later.`);
  }

  /** Cancels a run that is going on or waits; one that is over or unknown is left alone. */
  cancel(runId: string, reason: string): void {
    const queued = this.waiting.get(runId);
    if (queued) this.endWaiting(queued, reason);
    else if (this.current?.runId === runId) this.current.stop.abort(new RunCancelled(reason));
  }

  /** Cancels everything that runs or waits; resolves when each has its end. */
  async close(reason: string): Promise<void> {
    for (const run of [...this.waiting.values()]) this.endWaiting(run, reason);
    this.current?.stop.abort(new RunCancelled(reason));
    while (this.current) await this.current.done;
    await this.before;
    await this.closeAgent(reason);
  }

  /** Stops without writing ends: the runs belong to the next incarnation. */
  async abandon(): Promise<void> {
    this.shutdown.abort();
    this.current?.stop.abort(new Error('the runtime stops'));
    await this.current?.done;
    await this.closeAgent('the runtime stops');
  }

  /** A run that has not begun has its end at once: the one before it may take its time. */
  private endWaiting(run: QueuedRun, reason: string): void {
    this.waiting.delete(run.runId);
    void this.execute(run, AbortSignal.abort(new RunCancelled(reason)));
  }

  private execute(run: QueuedRun, signal: AbortSignal): Promise<void> {
    return executeRun({ ...run, session: this.data, shutdown: this.shutdown.signal }, { ...this.dependencies, agent: this.agent }, signal);
  }

  private async closeAgent(reason: string): Promise<void> {
    try {
      await this.agent.close?.(reason);
    } catch (error) {
      this.dependencies.log('warn', 'the agent of a session could not be closed', { sessionId: this.id, error });
    }
  }

  private startNext(): void {
    if (this.current || this.isHeld || this.shutdown.signal.aborted) return;
    const [run] = this.waiting.values();
    if (!run) return;
    this.waiting.delete(run.runId);
    const stop = new AbortController();
    if (run.cancelled) stop.abort(new RunCancelled('cancelled before it began'));
    const done = this.execute(run, stop.signal).finally(() => {
      this.current = undefined;
      if (!this.shutdown.signal.aborted) this.onRunEnd();
      this.startNext();
    });
    this.current = { runId: run.runId, stop, done };
  }
}
