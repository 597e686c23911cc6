import type { Clock } from '@plexus/kernel';
import { toStorableText } from '@plexus/kernel';
import { headAndTail } from '../../domain/bounded-text.js';
import type { Fence } from '../fence.js';
import type { Log, Tool, ToolResult } from '../ports.js';
import type { RunTraces } from '../run-traces.js';
import { ToolGuard } from './tool-guard.js';

/** Longest result that goes to the model. */
const MAX_RESULT_CHARS = 50_000;
/** Calls of one step that run at the same time. */
const MAX_PARALLEL = 8;

/** A call as the model asked for it, its id unique within the run. */
export interface ToolCall {
  readonly callId: string;
  readonly toolName: string;
  readonly input: unknown;
  /** Its input could not be read. */
  readonly problem?: string;
}

export interface ToolRunnerDependencies {
  readonly traces?: RunTraces;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ToolRunContext {
  readonly sessionId: string;
  readonly runId: string;
  readonly workspace: string;
  readonly signal: AbortSignal;
}

const failed = (content: string): ToolResult => ({ content, isError: true });
const INTERRUPTED = 'The call was stopped before it returned; whether it had effects is not known.';

/** What is said of a call whose process ended while it ran: it is not called again by itself. */
export const LOST_CALL = failed(
  'The machine was restarted while this call ran, so its result is lost. It may or may not have had effects: look first, then call again if that is right.',
);

/**
 * Begins the calls of one step, some at the same time, and returns their results in the order of the calls; none rejects. A call that a
 * cancel overtakes before it begins is not begun.
 */
export function runTools(
  calls: readonly ToolCall[],
  tools: ReadonlyMap<string, Tool>,
  context: ToolRunContext,
  own: ToolRunnerDependencies,
): Promise<ToolResult>[] {
  const results: Promise<ToolResult>[] = [];
  for (const [index, call] of calls.entries()) {
    const turn = index < MAX_PARALLEL ? Promise.resolve() : (results[index - MAX_PARALLEL] as Promise<unknown>);
    results.push(turn.then(() => runTool(call, tools, context, own)));
  }
  return results;
}

async function runTool(
  call: ToolCall,
  tools: ReadonlyMap<string, Tool>,
  context: ToolRunContext,
  { fence, clock, log, traces }: ToolRunnerDependencies,
): Promise<ToolResult> {
  const tool = tools.get(call.toolName);
  if (!tool) return failed(`There is no tool “${call.toolName}” here. There are: ${[...tools.keys()].join(', ') || 'none'}.`);
  if (call.problem !== undefined) return failed(`The input of the call cannot be used: ${call.problem}`);
  try {
    await fence.open(context.signal);
  } catch {
    // The only reason to give up waiting is that the run is stopped.
    return failed('The call was not begun: the run was stopped.');
  }
  const guard = new ToolGuard(clock, fence, context.signal);
  const ids = { sessionId: context.sessionId, runId: context.runId, tool: tool.name };
  const span = traces?.within(context, 'tool', { tool: tool.name, call_id: call.callId });
  let failure: string | undefined = 'TOOL_FAILED';
  try {
    const running = tool.run(call.input, { ...context, signal: guard.signal, onProcess: (child) => guard.add(child), ...(span && { span }) });
    const result = await Promise.race([running, guard.abandoned]);
    // Whatever it still throws, nobody waits for it any more.
    if (!result) running.catch(() => undefined);
    if (result !== undefined && result.isError !== true) failure = undefined;
    return bounded(result ?? failed(INTERRUPTED), guard);
  } catch (error) {
    if (guard.cause) return bounded(failed(INTERRUPTED), guard);
    log('warn', 'a tool failed inside', { ...ids, error });
    return failed('The tool failed inside; the log of the runtime has the cause.');
  } finally {
    span?.end(guard.cause === undefined ? failure : 'ABORTED');
    guard.close();
  }
}

/** A tool that was told to stop and says that it failed did so because of that; one that returned in time is believed. */
function bounded({ content, isError }: ToolResult, { cause }: ToolGuard): ToolResult {
  const why = cause === 'cancelled' ? 'The run was cancelled.' : 'Stopped: this machine had lost the mesh for too long.';
  const text = toStorableText(headAndTail(content, MAX_RESULT_CHARS));
  return { content: isError && cause !== undefined ? `${text}\n(${why})` : text, ...(isError && { isError }) };
}
