import { z } from 'zod';

/** Payloads of the events that this gateway sends and the client reads. */

const ContentPart = z.looseObject({ type: z.string(), text: z.string().optional() });

/** A message as clients see it. `timestamp` is in ms. */
export const ChatMessage = z.looseObject({
  role: z.string(),
  content: z.union([z.array(ContentPart), z.string()]),
  timestamp: z.number().optional(),
});
export type ChatMessage = z.output<typeof ChatMessage>;

const run = { runId: z.string().min(1), sessionKey: z.string().min(1), agentId: z.string().optional(), seq: z.number().int().min(0) };

/** Progress of one run. `seq` counts within the run; `message` of a delta is everything said so far. */
export const ChatEvent = z.discriminatedUnion('state', [
  z.object({ ...run, state: z.literal('status'), phase: z.string() }),
  z.object({ ...run, state: z.literal('delta'), deltaText: z.string(), message: ChatMessage.optional(), replace: z.boolean().optional() }),
  z.object({
    ...run,
    state: z.literal('final'),
    message: ChatMessage.optional(),
    usage: z.record(z.string(), z.unknown()).optional(),
    stopReason: z.string().optional(),
  }),
  z.object({ ...run, state: z.literal('aborted'), stopReason: z.string().optional(), errorMessage: z.string().optional(), message: ChatMessage.optional() }),
  z.object({ ...run, state: z.literal('error'), errorMessage: z.string().optional(), errorKind: z.string().optional() }),
]);
export type ChatEvent = z.output<typeof ChatEvent>;

/** The parallel feed of tool calls and life-cycle marks. */
export const AgentEvent = z.object({
  runId: z.string().min(1),
  sessionKey: z.string().optional(),
  seq: z.number().int().min(0),
  stream: z.string(),
  ts: z.number(),
  data: z.record(z.string(), z.unknown()),
});
export type AgentEvent = z.output<typeof AgentEvent>;

/** `head` is the newest offset of the user's inbox, where it is known. */
export const TickEvent = z.object({ ts: z.number(), head: z.number().int().min(0).optional() });
export type TickEvent = z.output<typeof TickEvent>;

export const ShutdownEvent = z.object({ reason: z.string(), restartExpectedMs: z.number().optional(), spreadMs: z.number().optional() });
export type ShutdownEvent = z.output<typeof ShutdownEvent>;

/** One item of the user's inbox; offsets of one epoch follow each other without gaps. `cursor` resumes behind it. */
export const InboxItemEvent = z.looseObject({
  offset: z.number().int().min(1),
  id: z.string(),
  priority: z.string(),
  title: z.string(),
  cursor: z.string(),
});
export type InboxItemEvent = z.output<typeof InboxItemEvent>;

/** The plain text of a message: its text parts joined. */
export function messageText(message: ChatMessage): string {
  if (typeof message.content === 'string') return message.content;
  return message.content.map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('');
}

/** A message with one text part. */
export function textMessage(role: string, text: string, timestamp: number): ChatMessage {
  return { role, content: [{ type: 'text', text }], timestamp };
}
