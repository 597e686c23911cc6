import { AbortedError, type Clock, PlexusError, timeout } from '@plexus/kernel';
import { historyText, type StartSessionData, type Usage } from '@plexus/vm-protocol';
import type { EarlierRun, UserMessage } from '../domain/journal-state.js';
import type { Fence } from './fence.js';
import { AgentFailure, type AgentPiece, type AgentSession, type AgentTurn, type Log } from './ports.js';
import { RunEmitter } from './run-emitter.js';
import type { Uplink } from './uplink.js';

/** Silence of an agent that ends its run, unless the message says otherwise. */
const DEFAULT_SILENCE_MS = 600_000;

/** Reason of an abort that ends the run; any other abort leaves it without an end, for the next incarnation. */
export class RunCancelled extends AbortedError {}

export interface RunOrder {
  readonly runId: string;
  readonly session: StartSessionData;
  readonly message: UserMessage;
  /** run_seq of the last event that this incarnation sent before it was restarted; 0 = none. */
  readonly lastSeq: number;
  /** What an earlier incarnation left. */
  readonly earlier?: EarlierRun;
  /** The next further message for this run, once each; undefined = none for now. */
  readonly nextSteer?: () => string | undefined;
}

export interface RunDependencies {
  readonly agent: Pick<AgentSession, 'run'>;
  readonly uplink: Uplink;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

/** Puts the turn together from the session's settings and the message's own. */
export function turnOf({ session, message, runId }: Pick<RunOrder, 'session' | 'message' | 'runId'>): AgentTurn {
  const { agent_config: settings } = session;
  const { metadata, history } = message.data;
  const offer = metadata.model_endpoint ?? undefined;
  const systemPrompt = [metadata.system_prompt ?? settings.system_prompt, metadata.extra_system_prompt].filter((part) => part).join('\n\n');
  return {
    sessionId: session.session_id,
    runId,
    resume: metadata.resume ?? false,
    message: message.data.message,
    history: history.map((one) => ({ role: one.role, text: historyText(one) })),
    ...(systemPrompt && { systemPrompt }),
    model: metadata.model ?? settings.model ?? undefined,
    ...(offer && { endpoint: { offer, boxName: `${session.session_id}/${runId}/${offer.provider}` } }),
    temperature: settings.temperature ?? undefined,
    maxTokens: settings.max_tokens ?? undefined,
  };
}

/** run_seq of the first event that this incarnation emits for a run. */
export function firstRunSeq({ message, lastSeq, earlier }: Pick<RunOrder, 'message' | 'lastSeq' | 'earlier'>): number {
  const { resume, run_seq_from: from } = message.data.metadata;
  return resume ? Math.max(from ?? 1, lastSeq + 1) : Math.max(lastSeq, earlier?.lastSeq ?? 0) + 1;
}

/**
 * Answers one message. Emits exactly one end, unless the signal aborts for a reason other than `RunCancelled` (the process stops): then it
 * emits none and the next incarnation gets the run. Never throws.
 */
export async function executeRun(order: RunOrder, dependencies: RunDependencies, signal: AbortSignal): Promise<void> {
  const { uplink, log } = dependencies;
  const { metadata } = order.message.data;
  const nextSeq = firstRunSeq(order);
  const emitter = new RunEmitter(uplink, { sessionId: order.session.session_id, runId: order.runId, nextSeq, traceparent: metadata.traceparent });
  const ids = { sessionId: order.session.session_id, runId: order.runId };
  try {
    // A run that is known to have begun may have said something already.
    if (metadata.resume || nextSeq > 1) await emitter.reset();
    if (order.earlier?.end !== undefined && order.lastSeq === 0) {
      log('info', 'run had ended before the restart, its end is sent again', ids);
      await emitter.repeatEnd(order.earlier.end);
      return;
    }
    const usage = await converse(order, dependencies, emitter, signal);
    await emitter.complete(usage && { usage });
  } catch (error) {
    await endFor(error, emitter, signal, log, ids);
  }
}

/** The turns of a run: the message, then each further one that came meanwhile, with what was said before as its history. */
async function converse(order: RunOrder, dependencies: RunDependencies, emitter: RunEmitter, signal: AbortSignal): Promise<Usage | undefined> {
  let turn = turnOf(order);
  let usage: Usage | undefined;
  for (;;) {
    usage = sum(usage, await answer(turn, order, dependencies, emitter, signal));
    const steer = order.nextSteer?.();
    if (steer === undefined) return usage;
    await emitter.text('\n\n');
    const said = (await emitter.turnOver()).trimEnd();
    turn = { ...turn, history: [...turn.history, { role: 'user', text: turn.message }, { role: 'assistant', text: said }], message: steer };
  }
}

function sum(one: Usage | undefined, other: Usage | undefined): Usage | undefined {
  if (!one || !other) return one ?? other;
  return { input_tokens: one.input_tokens + other.input_tokens, output_tokens: one.output_tokens + other.output_tokens };
}

async function answer(
  turn: AgentTurn,
  order: RunOrder,
  { agent, uplink, fence, clock }: RunDependencies,
  emitter: RunEmitter,
  signal: AbortSignal,
): Promise<Usage | undefined> {
  const silenceMs = order.message.data.metadata.timeout_ms ?? DEFAULT_SILENCE_MS;
  let usage: Usage | undefined;
  await fence.open(signal);
  const stop = new AbortController();
  const pieces = agent.run(turn, AbortSignal.any([signal, stop.signal]))[Symbol.asyncIterator]();
  try {
    for (;;) {
      await uplink.room(signal);
      // Waiting here, not in the agent: a run ends in time even if its agent does not react.
      const next = await timeout(pieces.next(), silenceMs, { signal, clock, code: 'RUN_TIMEOUT', what: 'agent' });
      if (next.done) return usage;
      if (next.value.type === 'usage') usage = next.value.usage;
      else await emit(next.value, emitter);
    }
  } finally {
    stop.abort(new AbortedError('the run is over'));
    // Not awaited: an agent that hangs must not hold the run. What it still throws is of no interest.
    pieces.return?.().catch(() => undefined);
  }
}

function emit(piece: Exclude<AgentPiece, { type: 'usage' }>, emitter: RunEmitter): Promise<void> {
  switch (piece.type) {
    case 'text':
      return emitter.text(piece.text);
    case 'thinking':
      return emitter.thinking(piece.text);
    case 'reset':
      return emitter.reset();
    case 'tool_start':
      return emitter.event({ type: 'tool_call_start', tool_name: piece.toolName, tool_input: piece.input, tool_call_id: piece.callId });
    case 'tool_end': {
      const { toolName, result, callId, isError } = piece;
      return emitter.event({ type: 'tool_call_complete', tool_name: toolName, result, tool_call_id: callId, ...(isError && { is_error: true }) });
    }
    case 'skill_start':
      return emitter.event({ type: 'skill_call_start', skill_id: piece.skillId, ...(piece.input !== undefined && { skill_input: piece.input }) });
    case 'skill_end': {
      const { skillId, result, isError } = piece;
      return emitter.event({ type: 'skill_call_complete', skill_id: skillId, ...(result !== undefined && { result }), ...(isError && { is_error: true }) });
    }
    case 'event':
      return emitter.event(piece.event);
  }
}

async function endFor(error: unknown, emitter: RunEmitter, signal: AbortSignal, log: Log, ids: Record<string, unknown>): Promise<void> {
  if (signal.aborted) {
    if (signal.reason instanceof RunCancelled) await emitter.complete({ cancelled: true });
    return;
  }
  if (error instanceof AgentFailure) {
    log('warn', 'run failed', { ...ids, code: error.code, error: error.message });
    await emitter.fail(error.code, error.message);
  } else if (PlexusError.isPlexusError(error) && error.code === 'RUN_TIMEOUT') {
    log('warn', 'run timed out', { ...ids, ...error.details });
    await emitter.fail('RUN_TIMEOUT', `The agent said nothing for ${error.details?.timeoutMs} ms, so the run was ended.`);
  } else {
    log('error', 'run failed inside', { ...ids, error });
    await emitter.fail('INTERNAL', 'Something failed inside the runtime; its log has the cause.');
  }
}
