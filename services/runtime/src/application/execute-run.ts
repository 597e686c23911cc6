import { DEFAULT_WINDOW_TOKENS } from '@plexus/context-window';
import { AbortedError, type Clock, PlexusError, timeout } from '@plexus/kernel';
import { historyText, type ModelEndpointOffer, type StartSessionData, type Usage } from '@plexus/vm-protocol';
import type { EarlierRun, UserMessage } from '../domain/journal-state.js';
import { type AttachmentBytes, withAttachments } from './attached-files.js';
import type { Fence } from './fence.js';
import { AgentFailure, type AgentPiece, type AgentSession, type AgentTurn, type Log, type SealedEndpoint } from './ports.js';
import { RunEmitter } from './run-emitter.js';
import type { RunTraces } from './run-traces.js';
import type { Uplink } from './uplink.js';

/** Silence of an agent that ends its run, unless the message says otherwise. */
const DEFAULT_SILENCE_MS = 600_000;

/** After a cancel an agent has so long to stop; then the run has its end anyway. */
const CANCEL_MS = 15_000;

/** Reason of an abort that ends the run; any other abort leaves it without an end, for the next incarnation. */
export class RunCancelled extends AbortedError {}

/** A further message for a run. */
export interface Steer {
  /** By which the mesh knows it; one without is of nobody who waits. */
  readonly id?: string;
  readonly text: string;
}

export interface RunOrder {
  readonly runId: string;
  readonly session: StartSessionData;
  readonly message: UserMessage;
  /** run_seq of the last event that this incarnation sent before it was restarted; 0 = none. */
  readonly lastSeq: number;
  /** What an earlier incarnation left. */
  readonly earlier?: EarlierRun;
  /** The next further message for this run, once each; undefined = none for now. */
  readonly nextSteer?: () => Steer | undefined;
  /** The process ends: nothing is waited for any more. */
  readonly shutdown?: AbortSignal;
}

export interface RunDependencies {
  readonly agent: Pick<AgentSession, 'run'>;
  readonly uplink: Uplink;
  /** Absent: nobody wants to know. */
  readonly traces?: RunTraces;
  readonly fence: Fence;
  /** Absent: messages come without their files. */
  readonly attachments?: AttachmentBytes;
  readonly clock: Clock;
  readonly log: Log;
}

/** Puts the turn together from the session's settings and the message's own. */
export function turnOf({
  session,
  message,
  runId,
  lastSeq = 0,
  earlier,
}: Pick<RunOrder, 'session' | 'message' | 'runId' | 'earlier'> & { readonly lastSeq?: number }): AgentTurn {
  const { agent_config: settings } = session;
  const { metadata, history } = message.data;
  const boxed = (offer: ModelEndpointOffer): SealedEndpoint => ({ offer, boxName: `${session.session_id}/${runId}/${offer.provider}` });
  const fallbacks = metadata.model_endpoints_fallback?.map(({ model, provider, sealed, fault, context_window: tokens }) => ({
    model,
    ...(provider !== undefined && { endpoint: boxed({ provider, sealed, fault }) }),
    ...(tokens && { contextTokens: tokens }),
  }));
  const model = metadata.model ?? settings.model ?? undefined;
  // Names alone are those of models at the same endpoint.
  const endpoint = metadata.model_endpoint ? { endpoint: boxed(metadata.model_endpoint) } : {};
  const named = [...new Set([...(settings.fallbacks ?? []), ...(settings.fallback_model ? [settings.fallback_model] : [])])].filter((name) => name !== model);
  // What an agent is allowed can only lower what its model can read.
  const { context_tokens: allowed } = settings;
  const contextTokens = allowed ? Math.min(allowed, metadata.context_window ?? DEFAULT_WINDOW_TOKENS) : (metadata.context_window ?? undefined);
  const others = fallbacks ?? named.map((name) => ({ model: name, ...endpoint }));
  const systemPrompt = [metadata.system_prompt ?? settings.system_prompt, metadata.extra_system_prompt].filter((part) => part).join('\n\n');
  return {
    sessionId: session.session_id,
    runId,
    resume: metadata.resume === true || lastSeq > 0 || earlier !== undefined,
    message: message.data.message,
    history: history.map((one) => ({ role: one.role, text: historyText(one) })),
    ...(systemPrompt && { systemPrompt }),
    model,
    ...endpoint,
    ...(contextTokens !== undefined && { contextTokens }),
    ...(others.length > 0 && { fallbacks: others }),
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
  const { uplink, traces, log, clock } = dependencies;
  const { metadata } = order.message.data;
  const nextSeq = firstRunSeq(order);
  const emitter = new RunEmitter(uplink, { sessionId: order.session.session_id, runId: order.runId, nextSeq, traceparent: metadata.traceparent });
  const ids = { sessionId: order.session.session_id, runId: order.runId };
  const limit = limitOf(order, clock);
  const span = traces?.begin(ids, order.session.agent_id, metadata.traceparent);
  try {
    // A run that is known to have begun may have said something already.
    if (metadata.resume || nextSeq > 1) await emitter.reset();
    if (order.earlier?.end !== undefined && order.lastSeq === 0) {
      log('info', 'run had ended before the restart, its end is sent again', ids);
      await emitter.repeatEnd(order.earlier.end);
      return;
    }
    const usage = await converse(order, dependencies, emitter, AbortSignal.any([signal, limit.signal]));
    await emitter.complete(usage && { usage });
  } catch (error) {
    const code = await endFor(limit.signal.aborted ? limit.signal.reason : error, emitter, signal, log, ids);
    span?.end(code);
  } finally {
    limit.cancel();
    span?.end();
  }
}

/** The time that a run of the session may take in all. A message that says how long it may be silent has that limit instead. */
function limitOf({ session, message }: RunOrder, clock: Clock): { readonly signal: AbortSignal; cancel(): void } {
  const stop = new AbortController();
  const seconds = session.session_config?.timeout_seconds;
  if (!seconds || message.data.metadata.timeout_ms !== undefined) return { signal: stop.signal, cancel: () => undefined };
  const why = new AgentFailure('RUN_TIMEOUT', `The run took longer than ${seconds} s, which is the limit of this session, so it was ended.`);
  const timer = clock.setTimeout(() => stop.abort(why), seconds * 1_000);
  return { signal: stop.signal, cancel: () => timer.cancel() };
}

/** The turns of a run: the message, then each further one that came meanwhile, with what was said before as its history. */
async function converse(order: RunOrder, dependencies: RunDependencies, emitter: RunEmitter, signal: AbortSignal): Promise<Usage | undefined> {
  const { attachments } = order.message.data.metadata;
  let turn = turnOf(order);
  if (attachments?.length) turn = await withAttachments(turn, attachments, dependencies.attachments, signal, dependencies.log);
  let usage: Usage | undefined;
  for (;;) {
    usage = sum(usage, await answer(turn, order, dependencies, emitter, signal));
    const steer = order.nextSteer?.();
    if (steer === undefined) return usage;
    if (steer.id !== undefined) await emitter.event({ type: 'steer_accepted', message_id: steer.id });
    await emitter.text('\n\n');
    const said = (await emitter.turnOver()).trimEnd();
    const { pictures: _pictures, asked: _asked, ...rest } = turn;
    turn = { ...rest, history: [...turn.history, { role: 'user', text: turn.message }, { role: 'assistant', text: said }], message: steer.text };
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
  await fence.open(signal);
  const stop = new AbortController();
  const pieces = new Pieces(agent.run(turn, AbortSignal.any([signal, stop.signal])), emitter);
  try {
    for (;;) {
      await uplink.room(signal);
      // Waiting here, not in the agent: a run ends in time even if its agent does not react.
      if (!(await timeout(pieces.next(), silenceMs, { signal, clock, code: 'RUN_TIMEOUT', what: 'agent' }))) return pieces.usage;
    }
  } catch (error) {
    if (signal.reason instanceof RunCancelled) await pieces.drain(CANCEL_MS, clock, order.shutdown);
    throw error;
  } finally {
    stop.abort(new AbortedError('the run is over'));
    pieces.leave();
  }
}

/** What an agent says, one piece after the other into the emitter. */
class Pieces {
  usage: Usage | undefined;
  private readonly iterator: AsyncIterator<AgentPiece>;
  private waiting: Promise<boolean> | undefined;
  private left = false;

  constructor(
    pieces: AsyncIterable<AgentPiece>,
    private readonly emitter: RunEmitter,
  ) {
    this.iterator = pieces[Symbol.asyncIterator]();
  }

  /** Emits the next piece; false when there is none. One that is waited for already is not asked for again. */
  next(): Promise<boolean> {
    this.waiting ??= this.take().finally(() => {
      this.waiting = undefined;
    });
    return this.waiting;
  }

  /** After a cancel: what the agent still says while it stops, for a bounded time. */
  async drain(ms: number, clock: Clock, shutdown?: AbortSignal): Promise<void> {
    const rest = async (): Promise<void> => {
      while (await this.next());
    };
    // How it stops, or that it does not, changes nothing: the run is cancelled.
    await timeout(rest(), ms, { clock, signal: shutdown, what: 'agent' }).catch(() => undefined);
  }

  /** Not awaited: an agent that hangs must not hold the run. What it still says or throws is of no interest. */
  leave(): void {
    this.left = true;
    this.waiting?.catch(() => undefined);
    this.iterator.return?.().catch(() => undefined);
  }

  private async take(): Promise<boolean> {
    const next = await this.iterator.next();
    if (next.done || this.left) return false;
    if (next.value.type === 'usage') this.usage = next.value.usage;
    else await emit(next.value, this.emitter);
    return true;
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

/** Writes the end of a run that did not come to its own; returns its code. */
async function endFor(error: unknown, emitter: RunEmitter, signal: AbortSignal, log: Log, ids: Record<string, unknown>): Promise<string> {
  if (signal.aborted) {
    if (signal.reason instanceof RunCancelled) await emitter.complete({ cancelled: true });
    return 'ABORTED';
  }
  if (error instanceof AgentFailure) {
    log('warn', 'run failed', { ...ids, code: error.code, error: error.message });
    await emitter.fail(error.code, error.message);
    return error.code;
  } else if (PlexusError.isPlexusError(error) && error.code === 'RUN_TIMEOUT') {
    log('warn', 'run timed out', { ...ids, ...error.details });
    await emitter.fail('RUN_TIMEOUT', `The agent said nothing for ${error.details?.timeoutMs} ms, so the run was ended.`);
    return 'RUN_TIMEOUT';
  } else {
    log('error', 'run failed inside', { ...ids, error });
    await emitter.fail('INTERNAL', 'Something failed inside the runtime; its log has the cause.');
    return 'INTERNAL';
  }
}
