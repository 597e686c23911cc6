import type { Clock } from '@plexus/kernel';
import type { StartSessionData, Usage } from '@plexus/vm-protocol';
import { toolPolicy, toolRulesOf } from '../../domain/tool-policy.js';
import type { ContextPort } from '../context/index.js';
import type { Fence } from '../fence.js';
import {
  type Agent,
  AgentFailure,
  type AgentPiece,
  type AgentSession,
  type AgentTurn,
  type Log,
  type SnapshotBody,
  type Tool,
  type ToolSource,
  type Turn,
} from '../ports.js';
import type { RunTraces } from '../run-traces.js';
import type { Checkpoint, CheckpointStore, Shown } from './checkpoint.js';
import { LoopState } from './loop-state.js';
import { LoopTurn, type SkillOf } from './loop-turn.js';
import { snapshotOf } from './snapshot-body.js';

/** Model calls for one message, unless the session says otherwise. */
const DEFAULT_MAX_TURNS = 100;

/** What a session keeps on its disk and in its window. */
export interface SessionResources {
  readonly checkpoints: CheckpointStore;
  /** What an earlier process left. */
  readonly found?: Checkpoint;
  /** Folder of the tools; exists. */
  readonly workspace: string;
  readonly window: ContextPort;
  /** Tools that belong to this session alone; they come before those of the sources. */
  readonly tools?: readonly Tool[];
  /** Files about the conversation, for people and for other programs. */
  readonly memory?: { save(checkpoint: Checkpoint): Promise<void>; read(): Promise<unknown> };
}

export interface LoopDependencies {
  readonly model: Agent;
  readonly sources: readonly ToolSource[];
  /** Called once a session, before its first run. */
  readonly open: (data: StartSessionData, now: CurrentTurn) => Promise<SessionResources>;
  readonly skillOf?: SkillOf;
  /** Tools that a session would have and its rules forbid; called when they change. */
  readonly onDenied?: (sessionId: string, tools: readonly string[]) => void;
  readonly traces?: RunTraces;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

/** The turn that is going on, for calls of the model beside it: summaries, memories. */
export interface CurrentTurn {
  turn(): Turn;
  /** What they use up counts as the turn's. */
  used(usage: Usage): void;
}

interface Opened {
  readonly resources: SessionResources;
  readonly state: LoopState;
}

/** A conversation with an agent that may use tools. */
export class LoopSession implements AgentSession {
  private opened: Promise<Opened> | undefined;
  private changed = false;
  private running: Promise<void> = Promise.resolve();
  private denied = '';
  private current: { readonly turn: AgentTurn; readonly state: LoopState } | undefined;

  constructor(
    private data: StartSessionData,
    private readonly dependencies: LoopDependencies,
  ) {}

  update(data: StartSessionData): void {
    this.data = data;
  }

  /** Runs of a session go one after the other, also when the one before was ended while a tool of it still stops. */
  async *run(turn: AgentTurn, signal: AbortSignal): AsyncGenerator<AgentPiece> {
    const before = this.running;
    let over: () => void = () => undefined;
    this.running = new Promise((resolve) => {
      over = resolve;
    });
    try {
      await before;
      yield* this.answer(turn, signal);
    } finally {
      over();
    }
  }

  async snapshot(): Promise<SnapshotBody | undefined> {
    if (!this.changed || !this.opened) return undefined;
    this.changed = false;
    const { resources, state } = await this.opened;
    return snapshotOf(state.checkpoint(resources.window.state()), await resources.memory?.read());
  }

  async close(): Promise<void> {
    await Promise.all(this.dependencies.sources.map((source) => source.endSession?.(this.data.session_id)));
  }

  private async *answer(turn: AgentTurn, signal: AbortSignal): AsyncGenerator<AgentPiece> {
    const { resources, state } = await this.open();
    const { clock, fence, log, model, skillOf, traces } = this.dependencies;
    const isNew = state.begin(turn);
    this.current = { turn, state };
    this.changed = true;
    yield* replayOf(state.turn.shown, skillOf);
    if (state.turn.usage) yield { type: 'usage', usage: state.turn.usage };
    if (state.turn.done) return;
    const tools = await this.tools(resources.tools);
    const maxTurns = this.data.session_config.max_turns ?? DEFAULT_MAX_TURNS;
    const save = (): Promise<void> => this.save(resources, state);
    yield* new LoopTurn({
      turn,
      state,
      window: resources.window,
      workspace: resources.workspace,
      model,
      tools,
      maxTurns,
      save,
      skillOf,
      ...(traces && { traces }),
      clock,
      fence,
      log,
    }).run(isNew, signal);
  }

  private open(): Promise<Opened> {
    this.opened ??= this.load();
    return this.opened;
  }

  private async load(): Promise<Opened> {
    try {
      const resources = await this.dependencies.open(this.data, this.now());
      return { resources, state: new LoopState(resources.found) };
    } catch (error) {
      // The next message tries again.
      this.opened = undefined;
      this.dependencies.log('error', 'the folder of a session cannot be used', { sessionId: this.data.session_id, error });
      throw new AgentFailure('INTERNAL', 'The folder of this session cannot be read or written; the log of the runtime has the cause.', { cause: error });
    }
  }

  private now(): CurrentTurn {
    return {
      turn: () => this.current?.turn ?? { message: '', history: [] },
      used: (usage) => void this.current?.state.used(usage),
    };
  }

  private async save({ checkpoints, window, memory }: SessionResources, state: LoopState): Promise<void> {
    this.changed = true;
    const checkpoint = state.checkpoint(window.state());
    try {
      await checkpoints.save(checkpoint);
    } catch (error) {
      // Going on without it could call a tool twice after a restart.
      this.dependencies.log('error', 'a checkpoint cannot be written', { sessionId: this.data.session_id, error });
      throw new AgentFailure('INTERNAL', 'The state of this session cannot be written to its folder; the log of the runtime has the cause.', { cause: error });
    }
    if (state.turn.done) await this.remember(checkpoint, memory);
  }

  /** The checkpoint has everything; these files are for others, so a failure is only noted. */
  private async remember(checkpoint: Checkpoint, memory: SessionResources['memory']): Promise<void> {
    try {
      await memory?.save(checkpoint);
    } catch (error) {
      this.dependencies.log('warn', 'the files of the short-term memory cannot be written', { sessionId: this.data.session_id, error });
    }
  }

  /** The tools of the session by name. Of two with one name the first source's counts. */
  private async tools(own: readonly Tool[] = []): Promise<ReadonlyMap<string, Tool>> {
    const isAllowed = toolPolicy(toolRulesOf(this.data.agent_config));
    const tools = new Map<string, Tool>();
    const denied = new Set<string>();
    const add = (tool: Tool): void => {
      if (!isAllowed(tool.name)) denied.add(tool.name);
      else if (!tools.has(tool.name)) tools.set(tool.name, tool);
    };
    own.forEach(add);
    for (const source of this.dependencies.sources) (await this.toolsFrom(source)).forEach(add);
    this.report([...denied].sort());
    return tools;
  }

  private report(denied: readonly string[]): void {
    const names = denied.join(' ');
    if (names === this.denied) return;
    this.denied = names;
    this.dependencies.onDenied?.(this.data.session_id, denied);
  }

  private async toolsFrom(source: ToolSource): Promise<readonly Tool[]> {
    try {
      return await source.tools(this.data);
    } catch (error) {
      this.dependencies.log('error', 'a source of tools failed, its tools are left out', { sessionId: this.data.session_id, error });
      return [];
    }
  }
}

/** What was shown of a turn before, in its order. The calls keep their ids: a reader that has seen them knows them. */
function* replayOf(shown: readonly Shown[], skillOf?: SkillOf): Generator<AgentPiece> {
  for (const one of shown) {
    if (one.type === 'text') {
      yield one;
      continue;
    }
    const { callId, toolName, input, result, isError = false } = one;
    const skillId = skillOf?.(toolName, input);
    yield skillId === undefined ? { type: 'tool_start', callId, toolName, input } : { type: 'skill_start', skillId, input };
    if (result !== undefined)
      yield skillId === undefined ? { type: 'tool_end', callId, toolName, result, isError } : { type: 'skill_end', skillId, result, isError };
  }
}
