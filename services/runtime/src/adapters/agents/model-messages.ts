import type { ContextMessage } from '@plexus/context-window';
import { parseJson } from '@plexus/kernel';
import type { AssistantModelMessage, JSONSchema7, ModelMessage, Schema, ToolModelMessage, ToolSet, UserContent } from 'ai';
import type { MessageAttachment } from '@plexus/vm-protocol';
import type { ShownMessage, ToolOffer } from '../../application/ports.js';

/** A conversation as the client library wants it. System messages and what is for the runtime only are left out: the former go as instructions. */
export function modelMessages(conversation: readonly ShownMessage[], bytes: ReadonlyMap<string, Uint8Array> = new Map()): ModelMessage[] {
  const messages: ModelMessage[] = [];
  for (const one of conversation) {
    if (one.runtimeOnly || one.role === 'system') continue;
    if (one.role === 'user') messages.push({ role: 'user', content: one.pictures === undefined ? one.text : withPictures(one.text, one.pictures, bytes) });
    else if (one.role === 'assistant') messages.push(...assistantMessage(one));
    else addResult(messages, one);
  }
  return messages;
}

/** Pictures that are not among `bytes` are named in the text only: the model is told that it does not see them. */
function withPictures(text: string, pictures: readonly MessageAttachment[], bytes: ReadonlyMap<string, Uint8Array>): UserContent {
  const unseen = pictures.filter(({ attachment_id }) => !bytes.has(attachment_id)).map(({ name }) => name);
  const note = unseen.length === 0 ? '' : `\n\n[You are not shown: ${unseen.join(', ')}]`;
  const shown = pictures.flatMap(({ attachment_id, mime_type: mediaType }) => {
    const image = bytes.get(attachment_id);
    return image === undefined ? [] : [{ type: 'image' as const, image, mediaType }];
  });
  return shown.length === 0 ? text + note : [{ type: 'text', text: text + note }, ...shown];
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
