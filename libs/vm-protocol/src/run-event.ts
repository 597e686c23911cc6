import { z } from 'zod';

/** UI events inside `sse_event.data`. Further types and fields pass through untouched. */
export const RunEventData = z.looseObject({ type: z.string().min(1).max(64) });
export type RunEventData = z.infer<typeof RunEventData>;

export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
}

/** The events that our own runtime emits. Exactly one of the last two ends a run. */
export type RuntimeEvent =
  /** What was streamed so far in this run is void: another incarnation begins anew. */
  | { readonly type: 'text_reset' }
  | { readonly type: 'text_chunk'; readonly content: string }
  | { readonly type: 'thinking'; readonly stage: string; readonly content: string }
  /** `tool_call_id` pairs a start with its end: calls of one step run at the same time. */
  | { readonly type: 'tool_call_start'; readonly tool_name: string; readonly tool_input: unknown; readonly tool_call_id?: string }
  | { readonly type: 'tool_call_complete'; readonly tool_name: string; readonly result: unknown; readonly tool_call_id?: string; readonly is_error?: boolean }
  | { readonly type: 'skill_call_start'; readonly skill_id: string; readonly skill_input?: unknown }
  | { readonly type: 'skill_call_complete'; readonly skill_id: string; readonly result?: unknown; readonly is_error?: boolean }
  /** The run answers a further message (`message_id` of its frame) as well: nobody else has to. */
  | { readonly type: 'steer_accepted'; readonly message_id: string }
  | { readonly type: 'execution_complete'; readonly content?: string; readonly cancelled?: true; readonly usage?: Usage }
  | { readonly type: 'execution_error'; readonly code: string; readonly error: string };

/** True for the two event types that end a run. */
export function isRunEnd(type: string): boolean {
  return type === 'execution_complete' || type === 'execution_error';
}
