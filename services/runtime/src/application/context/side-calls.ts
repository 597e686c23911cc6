import type { Usage } from '@plexus/vm-protocol';
import type { Agent, Turn } from '../ports.js';
import type { Complete, Completion } from './memory-flush-turn.js';
import type { SummariseText } from './types.js';

/** Where and how the model of the run that is going on is asked. */
export type TurnOfNow = () => Turn;

/** Told what each side call used up. */
export type OnUsage = (usage: Usage) => void;

/** A summary by the model of the run, without tools. What it thinks aloud is no part of it. */
export function summariseWith(agent: Agent, turnOfNow: TurnOfNow, onUsage?: OnUsage): SummariseText {
  return async ({ system, user }, signal) => {
    const turn: Turn = { ...withoutTools(turnOfNow()), systemPrompt: system, conversation: [{ role: 'user', text: user }] };
    return (await collected(agent, turn, signal, onUsage)).text;
  };
}

/** One call of the model of the run with other tools than its own. */
export function completeWith(agent: Agent, turnOfNow: TurnOfNow, onUsage?: OnUsage): Complete {
  return ({ system, messages, tools }, signal) =>
    collected(agent, { ...withoutTools(turnOfNow()), systemPrompt: system, conversation: messages, tools }, signal, onUsage);
}

function withoutTools({ tools: _, ...turn }: Turn): Turn {
  return { ...turn, message: '', history: [] };
}

async function collected(agent: Agent, turn: Turn, signal: AbortSignal, onUsage?: OnUsage): Promise<Completion> {
  let text = '';
  let toolCalls: Completion['toolCalls'][number][] = [];
  for await (const piece of agent.run(turn, signal)) {
    if (piece.type === 'text') text += piece.text;
    else if (piece.type === 'tool_call') toolCalls.push({ id: piece.callId, name: piece.toolName, arguments: JSON.stringify(piece.input ?? null) });
    else if (piece.type === 'usage') onUsage?.(piece.usage);
    else if (piece.type === 'reset') {
      text = '';
      toolCalls = [];
    }
  }
  // An agent may simply stop when the signal aborts; half an answer is none.
  signal.throwIfAborted();
  return { text, toolCalls };
}
