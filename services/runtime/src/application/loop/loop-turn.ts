import { estimateTokens } from '@plexus/context-window';
import { AbortedError, type Clock, toStorableText } from '@plexus/kernel';
import { classifyModelError } from '../../domain/model-error.js';
import { shownValue } from '../../domain/shown-value.js';
import type { ContextPort, ConversationMessage, Prepared } from '../context/index.js';
import { RunCancelled } from '../execute-run.js';
import type { Fence } from '../fence.js';
import { type Agent, AgentFailure, type AgentPiece, type AgentTurn, type Log, type ModelPiece, type Tool, type ToolResult } from '../ports.js';
import type { RunTraces } from '../run-traces.js';
import { textOf } from './checkpoint.js';
import type { LoopState } from './loop-state.js';
import { runTools, type ToolCall } from './tool-runner.js';

/** The skill that a call is about; undefined when it is not about one. Such a call is shown as one of the skill. */
export type SkillOf = (toolName: string, input: unknown) => string | undefined;

export interface LoopTurnOptions {
  readonly turn: AgentTurn;
  readonly state: LoopState;
  readonly window: ContextPort;
  readonly workspace: string;
  readonly model: Agent;
  readonly tools: ReadonlyMap<string, Tool>;
  readonly maxTurns: number;
  readonly skillOf?: SkillOf;
  /** Writes a checkpoint; resolves when it is on the disk. */
  readonly save: () => Promise<void>;
  readonly traces?: RunTraces;
  readonly clock: Clock;
  readonly fence: Fence;
  readonly log: Log;
}

/** What one model call came to. */
interface Step {
  readonly text: string;
  readonly calls: readonly ToolCall[];
}

/** Answers one message: a model call, the tools that it asks for, the next call with their results, until it asks for none. */
export class LoopTurn {
  private readonly offers: { readonly name: string; readonly description: string; readonly inputSchema: Record<string, unknown> }[];
  private readonly fixedTokens: number;
  /** Said in the running model call. */
  private partial = '';

  constructor(private readonly options: LoopTurnOptions) {
    this.offers = [...options.tools.values()].map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
    this.fixedTokens = estimateTokens(options.turn.systemPrompt ?? '') + (this.offers.length > 0 ? estimateTokens(JSON.stringify(this.offers)) : 0);
  }

  /** `isNew`: the message is not in the conversation yet. */
  async *run(isNew: boolean, signal: AbortSignal): AsyncGenerator<AgentPiece> {
    const { state, maxTurns, save, turn } = this.options;
    try {
      let message: ConversationMessage | undefined = isNew ? messageOf(turn) : undefined;
      for (;;) {
        if (state.turn.steps >= maxTurns)
          throw new AgentFailure(
            'MAX_TURNS',
            `The agent was stopped after ${maxTurns} steps, which is the limit of this session; ask it to go on if that is what you want.`,
          );
        const { text, calls } = yield* this.modelStep(message, signal);
        message = undefined;
        this.partial = '';
        state.answered(text, calls);
        if (calls.length === 0) state.done();
        // Before the first tool begins: whoever finds this checkpoint knows that it may have.
        await save();
        if (calls.length === 0) return;
        yield* this.callTools(calls, signal);
        if (signal.aborted) throw AbortedError.from(signal);
      }
    } catch (error) {
      if (signal.reason instanceof RunCancelled) await this.keepCancelled();
      throw error;
    }
  }

  /** What was said and what tools returned stays part of the conversation. */
  private async keepCancelled(): Promise<void> {
    const { state, save } = this.options;
    this.showText();
    if (this.partial !== '') state.answered(this.partial, []);
    this.partial = '';
    state.done();
    await save();
  }

  private async *callTools(calls: readonly ToolCall[], signal: AbortSignal): AsyncGenerator<AgentPiece> {
    const { state, save, tools, turn, workspace } = this.options;
    for (const call of calls) yield this.beginning(call);
    const context = { sessionId: turn.sessionId, runId: turn.runId, workspace, signal };
    const results = runTools(calls, tools, context, this.options).map(async (running, index) => {
      const result = await running;
      state.returned((calls[index] as ToolCall).callId, result);
      await save();
      return result;
    });
    // One that fails is thrown where it is awaited; the others must not be unhandled until then.
    for (const result of results) result.catch(() => undefined);
    try {
      for (const [index, call] of calls.entries()) yield this.end(call, await (results[index] as Promise<ToolResult>));
    } finally {
      // Also when nobody listens any more: the next run must not meet tools of this one.
      await Promise.allSettled(results);
      state.stepOver();
    }
  }

  private beginning({ callId, toolName, input }: ToolCall): AgentPiece {
    const skillId = this.options.skillOf?.(toolName, input);
    const shown = shownValue(input);
    return skillId === undefined ? { type: 'tool_start', callId, toolName, input: shown } : { type: 'skill_start', skillId, input: shown };
  }

  private end({ callId, toolName, input }: ToolCall, { content, isError = false }: ToolResult): AgentPiece {
    const skillId = this.options.skillOf?.(toolName, input);
    const result = shownValue(content);
    return skillId === undefined ? { type: 'tool_end', callId, toolName, result, isError } : { type: 'skill_end', skillId, result, isError };
  }

  /** One model call, made again with less when the endpoint says that it was too long. */
  private async *modelStep(message: ConversationMessage | undefined, signal: AbortSignal): AsyncGenerator<AgentPiece, Step> {
    const { state, window } = this.options;
    const { model = '', contextTokens } = this.options.turn;
    const options = { signal, fixedTokens: this.fixedTokens };
    window.useModel(model, contextTokens === undefined ? {} : { configuredTokens: contextTokens });
    let prepared: Prepared = await window.prepare(state.messages, message, options);
    for (;;) {
      state.replace(prepared.conversation);
      try {
        return yield* this.ask(prepared.messages, signal);
      } catch (error) {
        if (signal.aborted || !isTooLong(error, this.options.clock)) throw error;
        const shorter = await window.onOverflow(state.messages, causeOf(error), options);
        if (!shorter)
          throw new AgentFailure('CONTEXT_TOO_LONG', 'The conversation does not fit into the window of the model any more, not even shortened.', {
            cause: error,
          });
        if (this.partial !== '') yield* this.voided();
        prepared = shorter;
      }
    }
  }

  private async *ask(conversation: readonly ConversationMessage[], signal: AbortSignal): AsyncGenerator<AgentPiece, Step> {
    const { model, turn, state, window } = this.options;
    let calls: ToolCall[] = [];
    for await (const piece of model.run({ ...turn, conversation, tools: this.offers }, signal)) {
      if (piece.type === 'text') yield* this.text(piece.text);
      else if (piece.type === 'thinking') yield piece;
      else if (piece.type === 'tool_call') calls.push(this.callOf(piece, calls));
      else if (piece.type === 'reset') {
        calls = [];
        yield* this.voided();
      } else {
        window.noteUsage(piece.usage);
        yield { type: 'usage', usage: state.used(piece.usage) };
      }
    }
    const text = this.partial;
    this.showText();
    return { text, calls };
  }

  private *text(text: string): Generator<AgentPiece> {
    if (this.partial === '') {
      // The words before a tool and the words after it are two paragraphs.
      const gap = this.gap();
      if (gap !== '') yield { type: 'text', text: gap };
    }
    this.partial += text;
    yield { type: 'text', text };
  }

  private gap(): string {
    const before = textOf(this.options.state.turn.shown);
    return before === '' || before.endsWith('\n') ? '' : '\n\n';
  }

  private showText(): void {
    const { state } = this.options;
    if (this.partial !== '') state.said(toStorableText(this.gap() + this.partial));
  }

  /** What the running call said is void; what was said before it is said again. */
  private *voided(): Generator<AgentPiece> {
    this.partial = '';
    yield { type: 'reset' };
    const before = textOf(this.options.state.turn.shown);
    if (before !== '') yield { type: 'text', text: before };
  }

  /** Ids are unique within a run: they pair a call with its result, also after a restart. */
  private callOf({ callId, toolName, input, problem }: Extract<ModelPiece, { type: 'tool_call' }>, earlier: readonly ToolCall[]): ToolCall {
    const { state } = this.options;
    const isTaken = (id: string): boolean => id === '' || state.knowsCall(id) || earlier.some((one) => one.callId === id);
    let id = callId;
    for (let n = 2; isTaken(id); n++) id = `${callId || 'call'}-${n}`;
    return { callId: id, toolName, input, ...(problem !== undefined && { problem }) };
  }
}

function messageOf({ message: text, pictures }: AgentTurn): ConversationMessage {
  return { role: 'user', text, ...(pictures !== undefined && { images: pictures.length, pictures }) };
}

const causeOf = (error: unknown): unknown => (error instanceof AgentFailure ? (error.cause ?? error) : error);

function isTooLong(error: unknown, clock: Clock): boolean {
  return classifyModelError(causeOf(error), clock.now()).reason === 'context_overflow';
}
