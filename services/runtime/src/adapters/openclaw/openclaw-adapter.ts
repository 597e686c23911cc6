import { type Clock, stableStringify, systemClock } from '@plexus/kernel';
import type { StartSessionData } from '@plexus/vm-protocol';
import { RunCancelled } from '../../application/execute-run.js';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { AgentPiece, AgentSession, AgentTurn, Log, RuntimeAdapter, SnapshotBody } from '../../application/ports.js';
import type { FenceStage } from '../../domain/fence.js';
import type { StartBridge } from './bridge-process.js';
import { BridgeSupervisor } from './bridge-supervisor.js';
import type { BridgeModel } from './bridge-wire.js';

export interface OpenClawAdapterOptions {
  readonly start: StartBridge;
  readonly calls: MeshCalls;
  readonly log: Log;
  /** Folder of a session; the bridge makes it if need be. */
  readonly workspaceOf: (sessionId: string) => string;
  /** Where the model of a turn is; undefined when nothing is configured. Throws `AgentFailure` when what was sealed cannot be opened. */
  readonly modelOf: (turn: AgentTurn) => BridgeModel | undefined;
  /** How far this machine has to hold back while the mesh cannot be reached. */
  readonly fenceStage?: () => FenceStage;
  readonly clock?: Clock;
  /** Milliseconds without a run after which the bridge is stopped. */
  readonly idleMs?: number;
  readonly random?: () => number;
}

/** Sessions of `runtime_type: "openclaw"`: all of a VM share one bridge process, which speaks JSON lines and drives the agent. */
export class OpenClawAdapter implements RuntimeAdapter {
  private readonly supervisor: BridgeSupervisor;

  constructor(private readonly options: OpenClawAdapterOptions) {
    this.supervisor = new BridgeSupervisor({ clock: systemClock, ...options });
  }

  start(data: StartSessionData): AgentSession {
    return new OpenClawSession(data, this.supervisor, this.options);
  }

  close(): Promise<void> {
    return this.supervisor.close();
  }
}

class OpenClawSession implements AgentSession {
  private last = { runId: '', turns: 0 };
  private sent: string | undefined;

  constructor(
    private data: StartSessionData,
    private readonly supervisor: BridgeSupervisor,
    private readonly options: OpenClawAdapterOptions,
  ) {}

  async *run(turn: AgentTurn, signal: AbortSignal): AsyncGenerator<AgentPiece> {
    const model = this.options.modelOf(turn);
    const bridge = await this.supervisor.connection(signal);
    const run = bridge.begin({ data: this.data, workspace: this.options.workspaceOf(turn.sessionId), model }, { ...turn, runId: this.turnId(turn.runId) });
    // Not in a `finally`: nobody comes back to a generator that waits, but a run that is left is always aborted.
    const onAbort = (): void => {
      const { reason } = signal;
      void bridge.cancel(run, reason instanceof Error ? reason.message : 'cancelled', reason instanceof RunCancelled);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      yield* run.pieces();
    } finally {
      if (run.settled.aborted) signal.removeEventListener('abort', onAbort);
    }
  }

  /** Counts from the next run on: the bridge is told then. */
  update(data: StartSessionData): void {
    this.data = data;
  }

  async snapshot(): Promise<SnapshotBody | undefined> {
    const body = await this.supervisor.running?.snapshot(this.data.session_id);
    const text = body && stableStringify(body);
    if (text === undefined || text === this.sent) return undefined;
    this.sent = text;
    return body;
  }

  async close(reason: string): Promise<void> {
    this.supervisor.running?.stopSession(this.data.session_id, reason);
  }

  /** A run of several turns (further messages while it goes on) has an id for each: an end said twice must not end the next one. */
  private turnId(runId: string): string {
    this.last = { runId, turns: this.last.runId === runId ? this.last.turns + 1 : 1 };
    return this.last.turns === 1 ? runId : `${runId}.${this.last.turns}`;
  }
}
