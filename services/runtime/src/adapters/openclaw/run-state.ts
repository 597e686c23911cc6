import type { Usage } from '@plexus/vm-protocol';
import type { AgentPiece } from '../../application/ports.js';
import type { BridgeEvent } from './bridge-wire.js';

export type RunEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly code: string; readonly sentence: string };

/** Above this the text that a bridge repeats in its end is not compared with what it said any more. */
const MAX_COMPARED_CHARS = 1024 * 1024;
const MAX_SENTENCE = 2_000;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Events that still count after a cancel: what a tool had returned is kept, what the model goes on saying is not. */
const KEPT_AFTER_CANCEL: readonly string[] = ['tool_call_complete', 'skill_call_complete'];

/**
 * One run in a bridge, as a state machine without input or output. Whatever comes, in whatever order: the run has at most one end, the first
 * one, and after a cancel it is `cancelled` whatever the bridge says.
 */
export class RunState {
  private ended: RunEnd | undefined;
  private cancelling = false;
  private over = false;
  private said: string | undefined = '';
  private calls = 0;
  /** Events that came after the end; they are left out. */
  late = 0;

  get end(): RunEnd | undefined {
    return this.ended;
  }

  /** The bridge has nothing more to do for this run: it has said its end, or is gone. */
  get settled(): boolean {
    return this.over;
  }

  /** Takes an event and returns what the runtime is to hear of it. */
  feed(event: BridgeEvent): AgentPiece[] {
    const isEnd = event.type === 'execution_complete' || event.type === 'execution_error';
    if (isEnd) this.over = true;
    if (this.ended) {
      this.late++;
      return [];
    }
    if (this.cancelling) {
      if (isEnd) this.ended = { kind: 'cancelled' };
      return KEPT_AFTER_CANCEL.includes(event.type) ? this.pieces(event) : [];
    }
    return this.pieces(event);
  }

  /** The user stopped the run; the bridge gets time to stop by itself. */
  cancel(): void {
    this.cancelling = true;
  }

  /** Nobody waits for this run any more, or the bridge had time enough to stop it. */
  abandon(): void {
    this.ended ??= { kind: 'cancelled' };
  }

  /** The bridge cannot answer: it is gone, or takes nothing. */
  fail(code: string, sentence: string): void {
    this.ended ??= this.cancelling ? { kind: 'cancelled' } : { kind: 'failed', code, sentence };
  }

  /** The bridge's process has ended. */
  exited(sentence: string): void {
    this.over = true;
    this.fail('BRIDGE_EXITED', sentence);
  }

  private pieces(event: BridgeEvent): AgentPiece[] {
    switch (event.type) {
      case 'text_chunk':
        return this.text(event.content);
      case 'text_reset':
        this.said = '';
        return [{ type: 'reset' }];
      case 'thinking':
        return [{ type: 'thinking', text: event.content }];
      case 'tool_call_start':
        return [{ type: 'tool_start', callId: event.tool_call_id ?? `call-${++this.calls}`, toolName: event.tool_name, input: event.tool_input }];
      case 'tool_call_complete':
        return [
          {
            type: 'tool_end',
            callId: event.tool_call_id ?? `call-${this.calls}`,
            toolName: event.tool_name,
            result: event.result,
            isError: event.is_error ?? false,
          },
        ];
      case 'skill_call_start':
        return [{ type: 'skill_start', skillId: event.skill_id, input: event.skill_input }];
      case 'skill_call_complete':
        return [{ type: 'skill_end', skillId: event.skill_id, result: event.result, isError: event.is_error }];
      case 'execution_complete':
        return this.complete(event.content, event.usage, event.cancelled);
      case 'execution_error':
        this.ended = { kind: 'failed', code: CODE.test(event.code) ? event.code : 'AGENT_FAILED', sentence: event.error.slice(0, MAX_SENTENCE) };
        return [];
    }
  }

  private text(content: string): AgentPiece[] {
    if (content === '') return [];
    if (this.said !== undefined) this.said = this.said.length + content.length > MAX_COMPARED_CHARS ? undefined : this.said + content;
    return [{ type: 'text', text: content }];
  }

  private complete(content: string | undefined, usage: Usage | undefined, cancelled: boolean | undefined): AgentPiece[] {
    if (cancelled) {
      this.ended = { kind: 'failed', code: 'RUN_ABORTED', sentence: 'The agent stopped this run by itself, although nobody had cancelled it.' };
      return [];
    }
    this.ended = { kind: 'complete' };
    const spent: AgentPiece[] = usage ? [{ type: 'usage', usage: { input_tokens: usage.input_tokens, output_tokens: usage.output_tokens } }] : [];
    return [...this.correction(content), ...spent];
  }

  /** What is missing for the text that was streamed to become the text that the end names. */
  private correction(content: string | undefined): AgentPiece[] {
    const { said } = this;
    if (content === undefined || content === '' || said === undefined || content === said) return [];
    if (content.startsWith(said)) return [{ type: 'text', text: content.slice(said.length) }];
    return [{ type: 'reset' }, { type: 'text', text: content }];
  }
}
