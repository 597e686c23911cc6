import { FakeClock } from '@plexus/kernel';
import type { StartSessionData } from '@plexus/vm-protocol';
import { Fence } from '../../src/application/fence.js';
import type { Checkpoint, CheckpointStore } from '../../src/application/loop/checkpoint.js';
import { LoopSession } from '../../src/application/loop/loop-session.js';
import { PassThroughWindow } from '../../src/application/loop/pass-through-window.js';
import type { Agent, AgentPiece, AgentTurn, ModelPiece, Tool, ToolContext, ToolResult, Turn } from '../../src/application/ports.js';

/** What the model says in one call. */
export type Said = readonly ModelPiece[] | ((turn: Turn, signal: AbortSignal) => AsyncIterable<ModelPiece>);

export const text = (words: string): ModelPiece => ({ type: 'text', text: words });
export const call = (callId: string, toolName: string, input: unknown = {}): ModelPiece => ({ type: 'tool_call', callId, toolName, input });

/** A tool that counts how often it was begun. */
export function tool(
  name: string,
  run: (input: unknown, context: ToolContext) => Promise<ToolResult> = async () => ({ content: `${name} done` }),
): Tool & { begun: number } {
  return {
    name,
    description: name,
    inputSchema: { type: 'object' },
    begun: 0,
    run(input, context) {
      this.begun++;
      return run(input, context);
    },
  };
}

/** Checkpoints in memory; what is kept went through JSON as it would through a file. */
export class CheckpointsInMemory implements CheckpointStore {
  readonly all: Checkpoint[] = [];
  onSave: (() => void) | undefined;

  async save(checkpoint: Checkpoint): Promise<void> {
    const kept = JSON.parse(JSON.stringify(checkpoint)) as Checkpoint;
    this.onSave?.();
    this.all.push(kept);
  }

  async newest(): Promise<Checkpoint | undefined> {
    return this.all.at(-1);
  }
}

export interface Bench {
  readonly session: LoopSession;
  readonly clock: FakeClock;
  readonly fence: Fence;
  readonly checkpoints: CheckpointsInMemory;
  /** What each model call was given. */
  readonly asked: Turn[];
  /** Each time that the forbidden tools changed, which they were. */
  readonly denied: (readonly string[])[];
}

export interface BenchOptions {
  readonly tools?: readonly Tool[];
  readonly data?: Partial<Record<'agent_config' | 'session_config', unknown>>;
  readonly checkpoints?: CheckpointsInMemory;
}

/** A session over a model that follows a script, one entry for each call; the last for ever. */
export function loopBench(script: readonly Said[], { tools = [], data = {}, checkpoints = new CheckpointsInMemory() }: BenchOptions = {}): Bench {
  const clock = new FakeClock();
  const fence = new Fence(clock);
  const asked: Turn[] = [];
  const denied: (readonly string[])[] = [];
  const model: Agent = {
    async *run(turn, signal) {
      const said = script[Math.min(asked.length, script.length - 1)] as Said;
      asked.push(turn);
      if (typeof said === 'function') yield* said(turn, signal);
      else yield* said;
    },
  };
  const settings = {
    session_id: 's',
    runtime_type: 'semigraph',
    agent_id: 'main',
    agent_config: {},
    session_config: {},
    ...data,
  } as unknown as StartSessionData;
  const session = new LoopSession(settings, {
    model,
    sources: [{ tools: async () => tools }],
    onDenied: (_, names) => void denied.push(names),
    open: async () => {
      const found = await checkpoints.newest();
      return { checkpoints, workspace: '/workspace', window: new PassThroughWindow(), ...(found && { found }) };
    },
    fence,
    clock,
    log: () => undefined,
  });
  return { session, clock, fence, checkpoints, asked, denied };
}

export const turnOf = (extra: Partial<AgentTurn> = {}): AgentTurn => ({ sessionId: 's', runId: 'r', resume: false, message: 'hello', history: [], ...extra });

/** Everything that a turn says. */
export async function say(session: LoopSession, turn: AgentTurn = turnOf(), signal = new AbortController().signal): Promise<AgentPiece[]> {
  const pieces: AgentPiece[] = [];
  for await (const piece of session.run(turn, signal)) pieces.push(piece);
  return pieces;
}

/** The text that a reader has in the end. */
export function shown(pieces: readonly AgentPiece[]): string {
  let all = '';
  for (const piece of pieces) {
    if (piece.type === 'reset') all = '';
    if (piece.type === 'text') all += piece.text;
  }
  return all;
}

/** Lets everything happen that needs no time. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}
