import type { Clock } from '@plexus/kernel';
import { z } from 'zod';
import type { Tool, ToolContext, ToolResult } from '../../application/ports.js';
import { type GroupOutcome, ProcessGroup } from './process-group.js';
import { problem, readInput } from './tool-input.js';
import { resolveInside } from './workspace-path.js';

const DEFAULT_TIMEOUT_S = 120;
/** Below the silence that ends a run. */
const MAX_TIMEOUT_S = 540;
const MAX_OUTPUT_CHARS = 30_000;
/** Between TERM and KILL when the time is up. */
const KILL_AFTER_MS = 5_000;

const Input = z.object({
  command: z.string().min(1).max(100_000),
  timeout_seconds: z.number().min(1).max(MAX_TIMEOUT_S).default(DEFAULT_TIMEOUT_S),
  folder: z.string().max(4_096).default('.'),
});

/** Runs shell commands in the session's workspace. Each is a process group of its own, and all of it has ended when the call returns. */
export function execTool(environment: Readonly<Record<string, string>>, clock: Clock): Tool {
  return {
    name: 'exec',
    description:
      `Runs a shell command in the workspace and returns its exit code and output (both streams; the middle is left out when it is long). ` +
      `It has no input and ends after timeout_seconds (default ${DEFAULT_TIMEOUT_S}, at most ${MAX_TIMEOUT_S}). Background processes end with the command.`,
    inputSchema: {
      type: 'object',
      properties: {
        command: { type: 'string', description: 'The command line.' },
        timeout_seconds: { type: 'number', minimum: 1, maximum: MAX_TIMEOUT_S },
        folder: { type: 'string', description: 'Where to run it, relative to the workspace.' },
      },
      required: ['command'],
      additionalProperties: false,
    },
    async run(input, context) {
      const read = readInput(Input, input);
      if (!read.ok) return read.result;
      const folder = await resolveInside(context.workspace, read.value.folder);
      if (!folder.ok) return problem(folder.reason);
      const group = new ProcessGroup({ command: read.value.command, folder: folder.path, environment, maxOutputChars: MAX_OUTPUT_CHARS, clock });
      return supervise(group, read.value.timeout_seconds, context, clock);
    },
  };
}

async function supervise(group: ProcessGroup, timeoutS: number, context: ToolContext, clock: Clock): Promise<ToolResult> {
  context.onProcess(group);
  const interrupt = (): void => group.interrupt();
  if (context.signal.aborted) interrupt();
  else context.signal.addEventListener('abort', interrupt, { once: true });
  let timedOut = false;
  const timer = clock.setTimeout(() => {
    timedOut = true;
    group.kill('SIGTERM');
  }, timeoutS * 1_000);
  const killer = clock.setTimeout(() => group.kill('SIGKILL'), timeoutS * 1_000 + KILL_AFTER_MS);
  try {
    return told(await group.ended, timedOut ? timeoutS : undefined, context.signal.aborted);
  } catch (error) {
    return problem(`The command could not be started: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    timer.cancel();
    killer.cancel();
    context.signal.removeEventListener('abort', interrupt);
  }
}

function told({ code, signal, output }: GroupOutcome, timeoutS: number | undefined, stopped: boolean): ToolResult {
  const how =
    timeoutS !== undefined
      ? `It was ended after ${timeoutS} s, its time limit.`
      : stopped && code !== 0
        ? 'It was stopped.'
        : signal
          ? `It was ended by ${signal}.`
          : `Exit code ${code}.`;
  return { content: output === '' ? `${how} No output.` : `${how}\n${output}`, ...((code !== 0 || timeoutS !== undefined) && { isError: true }) };
}
