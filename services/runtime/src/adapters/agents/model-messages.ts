import type { ContextMessage } from '@plexus/context-window';
import { parseJson } from '@plexus/kernel';
import type { AssistantModelMessage, JSONSchema7, ModelMessage, Schema, ToolModelMessage, ToolSet } from 'ai';
import type { ToolOffer } from '../../application/ports.js';

/** A conversation as the client library wants it. System messages and what is for the runtime only are left out: the former go as instructions. */
export function modelMessages(conversation: readonly ContextMessage[]): ModelMessage[] {
  const messages: ModelMessage[] = [];
  for (const one of conversation) {
    if (one.runtimeOnly || one.role === 'system') continue;
    if (one.role === 'user') messages.push({ role: 'user', content: one.text });
    else if (one.role === 'assistant') messages.push(...assistantMessage(one));
    else addResult(messages, one);
  }
  return messages;
}

function assistantMessage({ text, toolCalls = [] }: ContextMessage): AssistantModelMessage[] {
  if (toolCalls.length === 0) return text === '' ? [] : [{ role: 'assistant', content: text }];
  const calls = toolCalls.map(({ id, name, arguments: input = '{}' }) => {
    const parsed = parseJson(input);
    return { type: 'tool-call' as const, toolCallId: id, toolName: name, input: parsed.ok ? parsed.value : {} };
  });
  return [{ role: 'assistant', content: [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...calls] }];
}

/** Results of one step are one message. */
function addResult(messages: ModelMessage[], { toolCallId = '', toolName = '', text, toolFailed }: ContextMessage): void {
  const part: ToolModelMessage['content'][number] = {
    type: 'tool-result',
    toolCallId,
    toolName,
    output: { type: toolFailed ? 'error-text' : 'text', value: text },
  };
  const last = messages.at(-1);
  if (last?.role === 'tool') last.content.push(part);
  else messages.push({ role: 'tool', content: [part] });
}

/** Tools without a way to run them: the loop does that, not the library. */
export function offeredTools(tools: readonly ToolOffer[], jsonSchema: (schema: JSONSchema7) => Schema<unknown>): ToolSet {
  return Object.fromEntries(
    tools.map(({ name, description, inputSchema }) => [name, { description, inputSchema: jsonSchema(inputSchema as JSONSchema7) }]),
  ) as ToolSet;
}
