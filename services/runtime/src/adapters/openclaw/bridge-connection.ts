import { type Clock, stableStringify, timeout, ulid } from '@plexus/kernel';
import type { StartSessionData } from '@plexus/vm-protocol';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { AgentTurn, Log, SnapshotBody } from '../../application/ports.js';
import { runKey } from '../../domain/journal-state.js';
import { BridgeCalls } from './bridge-calls.js';
import type { BridgeChild, BridgeExit, StartBridge } from './bridge-process.js';
import { BridgeRun } from './bridge-run.js';
import { type BridgeCall, type BridgeCommand, type BridgeEvent, type BridgeModel, encodeCommand, isBridgeCall, readBridgeLine } from './bridge-wire.js';
import type { Line } from './line-splitter.js';
import type { Redactor } from './redactor.js';

const SNAPSHOT_TIMEOUT_MS = 10_000;
/** After the cancel: ask again with force, end the bridge, kill it and end the run anyway. */
const CANCEL_STEPS = { forceMs: 5_000, terminateMs: 10_000, giveUpMs: 15_000 };

export interface ConnectionOptions {
  readonly start: StartBridge;
  readonly calls: MeshCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Its process has ended and every run in it too. */
  readonly onExit: (exit: BridgeExit) => void;
  /** A run has ended by what the bridge said, not by its failure. */
  readonly onHealthy: () => void;
  /** The last run is over. */
  readonly onIdle: () => void;
}

/** What a session is to know before it is asked something. */
export interface SessionStart {
  readonly data: StartSessionData;
  readonly workspace: string;
  readonly model?: BridgeModel;
}

/** One life of a bridge process with the sessions and runs in it. */
export class BridgeConnection {
  private readonly child: BridgeChild;
  private readonly calls: BridgeCalls;
  /** What each session was told last, to see when it has to be told anew. */
  private readonly started = new Map<string, string>();
  /** By `runKey`. */
  private readonly runs = new Map<string, BridgeRun>();
  private readonly snapshots = new Map<string, (body: SnapshotBody) => void>();
  private readonly unasked = new Map<string, SnapshotBody>();
  private readonly pressing = new Set<unknown>();
  private readonly counters = { badLines: 0, badBytes: 0, strayEvents: 0 };
  private isOver = false;
  /** Takes no new runs: it is being ended. */
  isStopping = false;
  /** It did not obey a cancel: to be replaced as soon as no run is going on in it. */
  isRetired = false;

  constructor(private readonly options: ConnectionOptions) {
    this.calls = new BridgeCalls({
      calls: options.calls,
      log: options.log,
      answer: (response) => void this.send(response),
      onPressure: (full) => this.press(this.calls, full),
    });
    this.child = options.start({ line: (line) => this.line(line), stderr: (line) => this.stderr(line), exit: (exit) => this.exited(exit) });
  }

  get isBusy(): boolean {
    return this.runs.size > 0;
  }

  has(sessionId: string): boolean {
    return this.started.has(sessionId);
  }

  /** Asks the bridge. The session is made known to it first, or told what changed. */
  begin(start: SessionStart, turn: AgentTurn): BridgeRun {
    const run = new BridgeRun(turn.sessionId, turn.runId, (one, full) => this.press(one, full));
    this.runs.set(runKey(turn.sessionId, turn.runId), run);
    run.settled.addEventListener('abort', () => this.forget(run), { once: true });
    if (this.introduce(start, turn)) this.send({ type: 'user_message', session_id: turn.sessionId, run_id: turn.runId, data: messageOf(turn) });
    return run;
  }

  /** Stops a run, more and more firmly. `patient`: the run ends when the bridge says so or after 15 s; else at once. */
  async cancel(run: BridgeRun, reason: string, patient: boolean): Promise<void> {
    const { clock, log } = this.options;
    const ids = { sessionId: run.sessionId, runId: run.runId };
    if (patient) run.cancel();
    else run.abandon();
    if (run.settled.aborted || this.isOver) return;
    const ask = (force: boolean): boolean => this.send({ type: 'cancel', session_id: run.sessionId, run_id: run.runId, data: { reason, force } });
    ask(false);
    try {
      await clock.sleep(CANCEL_STEPS.forceMs, run.settled);
      ask(true);
      await clock.sleep(CANCEL_STEPS.terminateMs - CANCEL_STEPS.forceMs, run.settled);
      log('warn', 'bridge does not stop a cancelled run, it is replaced', ids);
      this.retire('SIGTERM', run);
      await clock.sleep(CANCEL_STEPS.giveUpMs - CANCEL_STEPS.terminateMs, run.settled);
      run.abandon();
      this.retire('SIGKILL', run);
      this.forget(run);
    } catch (error) {
      // The run is over: that is what was asked for.
      if (!run.settled.aborted) throw error;
    }
  }

  /** The state of a session that the bridge knows; undefined when it has none or does not answer. */
  async snapshot(sessionId: string): Promise<SnapshotBody | undefined> {
    if (!this.has(sessionId) || this.isOver) return this.unasked.get(sessionId);
    const id = ulid();
    try {
      const answer = new Promise<SnapshotBody>((resolve) => this.snapshots.set(id, resolve));
      this.send({ type: 'get_snapshot', session_id: sessionId, id });
      return await timeout(answer, SNAPSHOT_TIMEOUT_MS, { clock: this.options.clock, what: 'snapshot of the bridge' });
    } catch (error) {
      this.options.log('info', 'bridge gave no snapshot', { sessionId, error });
      return this.unasked.get(sessionId);
    } finally {
      this.snapshots.delete(id);
    }
  }

  /** The session is over, the bridge goes on. */
  stopSession(sessionId: string, reason: string): void {
    this.unasked.delete(sessionId);
    if (this.started.delete(sessionId)) this.send({ type: 'stop', session_id: sessionId, data: { reason } });
  }

  /** Asks the bridge to end. */
  stop(reason: string): void {
    this.isStopping = true;
    this.send({ type: 'stop', data: { reason } });
    this.child.endInput();
    // A bridge that is not read could wait for ever to say its last words.
    this.child.resume();
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.child.kill(signal);
  }

  /** Ends the bridge, unless runs of others would end with it: then it is replaced after the last of them. */
  private retire(signal: 'SIGTERM' | 'SIGKILL', stuck: BridgeRun): void {
    this.isRetired = true;
    if (![...this.runs.values()].every((run) => run === stuck)) return;
    this.isStopping = true;
    this.child.kill(signal);
  }

  private introduce({ data, workspace, model }: SessionStart, { sessionId, runId }: AgentTurn): boolean {
    this.options.redactor.learn(model?.api_key);
    const known = this.started.get(sessionId);
    const wanted = stableStringify({ data, model });
    if (known === wanted) return true;
    const rest = { session_id: sessionId, data, ...(model && { model }) };
    const isTold = this.send(known === undefined ? { type: 'start', run_id: runId, workspace, ...rest } : { type: 'config_update', ...rest });
    if (isTold) this.started.set(sessionId, wanted);
    return isTold;
  }

  /** False when the bridge did not take it; the runs of its session have failed then. */
  private send(command: BridgeCommand): boolean {
    if (this.isOver) return false;
    if (this.child.write(encodeCommand(command))) return true;
    if (command.session_id === undefined) return false;
    this.options.log('warn', 'bridge does not read what it is told', { sessionId: command.session_id, type: command.type });
    for (const run of this.runs.values())
      if (run.sessionId === command.session_id) run.fail('BRIDGE_OVERLOADED', 'The agent’s bridge does not read what it is told; too much waits for it.');
    return false;
  }

  private line(line: Line): void {
    if (line.kind === 'too-long') {
      this.refuse(line.bytes, 'longer than a line may be');
      return;
    }
    const output = readBridgeLine(line.text);
    if (!output.ok) this.refuse(line.bytes, output.error);
    else if (isBridgeCall(output.value)) this.call(output.value);
    else this.event(output.value, line.bytes);
  }

  private event(event: BridgeEvent, bytes: number): void {
    const run = this.runs.get(runKey(event.session_id, event.run_id));
    if (!run) {
      this.counters.strayEvents++;
      this.options.log('debug', 'bridge spoke of a run that is not going on', { type: event.type, sessionId: event.session_id });
      return;
    }
    // Begun anew with the next message: whatever made it fail may be gone by then.
    if (event.type === 'execution_error') this.started.delete(event.session_id);
    run.feed(event.type === 'execution_error' ? { ...event, error: this.options.redactor.clean(event.error) } : event, bytes);
    if (event.type === 'execution_complete') this.options.onHealthy();
  }

  private call(call: BridgeCall): void {
    if (!this.has(call.session_id)) {
      this.counters.strayEvents++;
      const error = { code: 'SESSION_NOT_FOUND', message: 'No such session is going on in this bridge.' };
      if (call.type === 'cp_request') this.send({ type: 'cp_response', session_id: call.session_id, id: call.id, result: null, error });
      return;
    }
    if (call.type === 'cp_request') void this.calls.request(call);
    else if (call.type === 'cp_fire_and_forget') void this.calls.tell(call);
    else {
      const { checkpoint, short_term_memory, conversation_state, file_manifest } = call.data;
      const body = { checkpoint: checkpoint ?? null, short_term_memory: short_term_memory ?? null, conversation_state, file_manifest };
      this.unasked.set(call.session_id, body);
      if (call.id !== undefined) this.snapshots.get(call.id)?.(body);
    }
  }

  private refuse(bytes: number, reason: string): void {
    this.counters.badLines++;
    this.counters.badBytes += bytes;
    this.options.log('warn', 'line of the bridge skipped', { bytes, reason });
  }

  private stderr(line: Line): void {
    const { log, redactor } = this.options;
    if (line.kind === 'too-long') log('info', 'bridge says', { bytes: line.bytes });
    else log('info', 'bridge says', { line: redactor.clean(line.text).slice(0, 2_000) });
  }

  private press(source: unknown, full: boolean): void {
    if (full) this.pressing.add(source);
    else this.pressing.delete(source);
    if (this.pressing.size > 0 && full) this.child.pause();
    else if (this.pressing.size === 0) this.child.resume();
  }

  private forget(run: BridgeRun): void {
    const key = runKey(run.sessionId, run.runId);
    if (this.runs.get(key) !== run) return;
    this.runs.delete(key);
    this.pressing.delete(run);
    if (this.pressing.size === 0) this.child.resume();
    if (!this.isBusy && !this.isOver) this.options.onIdle();
  }

  private exited(exit: BridgeExit): void {
    this.isOver = true;
    this.isStopping = true;
    this.calls.close();
    const how = exit.error !== undefined ? 'could not be started' : exit.signal ? `was ended by ${exit.signal}` : `ended with code ${exit.code}`;
    for (const run of this.runs.values()) run.exited(`The agent’s bridge process ${how} while it answered; the next message starts it again.`);
    this.options.log('info', 'bridge ended', { code: exit.code, signal: exit.signal, ...(exit.error && { reason: exit.error }), ...this.counters });
    this.options.onExit(exit);
  }
}

function messageOf(turn: AgentTurn) {
  return {
    message: turn.message,
    history: turn.history,
    resume: turn.resume,
    ...(turn.systemPrompt !== undefined && { system_prompt: turn.systemPrompt }),
    ...(turn.temperature !== undefined && { temperature: turn.temperature }),
    ...(turn.maxTokens !== undefined && { max_tokens: turn.maxTokens }),
  };
}
