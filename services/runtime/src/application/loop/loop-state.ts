import { toStorableText } from '@plexus/kernel';
import type { Usage } from '@plexus/vm-protocol';
import { shownValue } from '../../domain/shown-value.js';
import type { ContextState, ConversationMessage } from '../context/index.js';
import type { AgentTurn, ToolResult } from '../ports.js';
import { type Checkpoint, openCalls, type RunRecord, type Shown, textOf, type TurnRecord } from './checkpoint.js';
import { LOST_CALL, type ToolCall } from './tool-runner.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface OpenTurn extends Mutable<Omit<TurnRecord, 'shown'>> {
  shown: Shown[];
}

/** What a session has said and done so far, as it is changed step by step and as it is written into checkpoints. */
export class LoopState {
  private conversation: readonly ConversationMessage[];
  private runId: string | undefined;
  private turns: OpenTurn[];
  /** Turn of the run that is answered next. */
  private next: number;
  private step: { readonly calls: readonly ToolCall[]; readonly results: Map<string, ToolResult> } | undefined;

  constructor(found?: Checkpoint) {
    this.conversation = found?.conversation ?? [];
    this.runId = found?.run.runId;
    this.turns = (found?.run.turns ?? []).map((turn) => ({ ...turn, shown: [...turn.shown] }));
    this.next = 0;
  }

  /** The turn that is being answered. */
  get turn(): Readonly<OpenTurn> {
    return this.open;
  }

  private get open(): OpenTurn {
    return this.turns[this.next - 1] as OpenTurn;
  }

  /** Everything said so far, results of the running step included, in the order of its calls. */
  get messages(): readonly ConversationMessage[] {
    const { step } = this;
    if (!step) return this.conversation;
    const results = step.calls.flatMap((call) => {
      const result = step.results.get(call.callId);
      return result ? [resultMessage(call, result)] : [];
    });
    return [...this.conversation, ...results];
  }

  /** Takes up a turn: one that an earlier process began, or a new one. True for a new one: its message is not in the conversation yet. */
  begin(turn: AgentTurn): boolean {
    const lost = this.settle();
    if (this.runId !== turn.runId) {
      if (!this.isContinuedBy(turn.history)) this.conversation = seededFrom(turn.history);
      this.runId = turn.runId;
      this.turns = [];
      this.next = 0;
    }
    const known = this.turns[this.next++];
    if (known !== undefined && isSameMessage(known, turn)) {
      for (const id of lost) this.show(id, LOST_CALL);
      const last = this.conversation.at(-1);
      return known.steps === 0 && !known.done && !(last?.role === 'user' && last.text === known.message);
    }
    const { message, asked } = turn;
    this.turns = [...this.turns.slice(0, this.next - 1), { message, ...(asked !== undefined && { asked }), shown: [], steps: 0, done: false }];
    return true;
  }

  /** What goes on from here; a new message is in it. */
  replace(conversation: readonly ConversationMessage[]): void {
    this.conversation = conversation;
  }

  said(text: string): void {
    if (text === '') return;
    const last = this.open.shown.at(-1);
    if (last?.type === 'text') this.open.shown[this.open.shown.length - 1] = { type: 'text', text: last.text + text };
    else this.open.shown.push({ type: 'text', text });
  }

  used(usage: Usage): Usage {
    const before = this.open.usage;
    const sum = {
      input_tokens: (before?.input_tokens ?? 0) + usage.input_tokens,
      output_tokens: (before?.output_tokens ?? 0) + usage.output_tokens,
    };
    this.open.usage = sum;
    return sum;
  }

  /** One model call is over: its words, and the calls it asks for, which are open from now on. */
  answered(text: string, calls: readonly ToolCall[]): void {
    this.open.steps++;
    const toolCalls = calls.map(({ callId, toolName, input }) => ({ id: callId, name: toolName, arguments: JSON.stringify(input ?? {}) }));
    if (text !== '' || calls.length > 0)
      this.conversation = [...this.conversation, { role: 'assistant', text: toStorableText(text), ...(calls.length > 0 && { toolCalls }) }];
    for (const { callId, toolName, input } of calls) this.open.shown.push({ type: 'tool', callId, toolName, input: shownValue(input) });
    if (calls.length > 0) this.step = { calls, results: new Map() };
  }

  /** A call of the step has returned. */
  returned(callId: string, result: ToolResult): void {
    this.step?.results.set(callId, result);
    this.show(callId, result);
  }

  /** All calls of the step have returned. */
  stepOver(): void {
    this.conversation = this.messages;
    this.step = undefined;
  }

  done(): void {
    this.open.done = true;
  }

  checkpoint(context?: ContextState): Checkpoint {
    const run: RunRecord = { runId: this.runId ?? '', turns: this.turns.map((turn) => ({ ...turn, shown: [...turn.shown] })) };
    return { conversation: this.messages, ...(context && { context }), run };
  }

  /** True when an id was used in this run: endpoints number the calls of each answer anew. */
  knowsCall(callId: string): boolean {
    return this.turns.some(({ shown }) => shown.some((one) => one.type === 'tool' && one.callId === callId));
  }

  private show(callId: string, { content, isError }: ToolResult): void {
    const { shown } = this.open;
    const at = shown.findIndex((one) => one.type === 'tool' && one.callId === callId);
    const call = shown[at];
    if (call?.type === 'tool') shown[at] = { ...call, result: String(shownValue(content)), ...(isError && { isError: true }) };
  }

  /** Gives every call of a step that was left its result, or says that it is lost: an endpoint refuses a call without one. */
  private settle(): string[] {
    this.stepOver();
    const lost = openCalls(this.conversation);
    const results = lost.map(({ id, name }) => resultMessage({ callId: id, toolName: name }, LOST_CALL));
    this.conversation = [...this.conversation, ...results];
    return lost.map(({ id }) => id);
  }

  /** The mesh's history is the truth about what was said; ours has the tools as well, as long as both end alike. */
  private isContinuedBy(history: AgentTurn['history']): boolean {
    const last = history.filter(({ role }) => role === 'user' || role === 'assistant').at(-1);
    // Nothing came along: what is known here is all there is.
    if (last === undefined) return this.conversation.length > 0;
    const ours = this.turns.map(({ shown }) => textOf(shown).trim()).join('\n\n');
    const newest = this.turns.length > 0 ? ours : (this.conversation.findLast(({ role }) => role === 'assistant')?.text ?? '');
    return this.runId !== undefined && last.role === 'assistant' && squeezed(last.text) === squeezed(newest);
  }
}

/** What is said of its files may differ: one could be read then and cannot be read now. */
function isSameMessage(known: Pick<TurnRecord, 'message' | 'asked'>, turn: Pick<AgentTurn, 'message' | 'asked'>): boolean {
  return known.message === turn.message || (known.asked !== undefined && known.asked === turn.asked);
}

const squeezed = (text: string): string => text.replace(/\s+/g, ' ').trim();

function resultMessage({ callId, toolName }: Pick<ToolCall, 'callId' | 'toolName'>, { content, isError }: ToolResult): ConversationMessage {
  return { role: 'tool', text: content, toolCallId: callId, toolName, ...(isError && { toolFailed: true }) };
}

function seededFrom(history: AgentTurn['history']): ConversationMessage[] {
  return history.flatMap(({ role, text }) => ((role === 'user' || role === 'assistant') && text !== '' ? [{ role, text }] : []));
}
