import { err, ok, parseJson, type Result } from '@plexus/kernel';
import type { StartSessionData } from '@plexus/vm-protocol';
import { z } from 'zod';
import { MAX_LINE_BYTES } from './line-splitter.js';

/** Where the model of a session is. Goes over stdin only; never to a file, argv or the environment. */
export interface BridgeModel {
  readonly provider: string;
  readonly model: string;
  readonly base_url: string;
  readonly api_key?: string;
}

/** Lines from the runtime to the bridge. */
export type BridgeCommand =
  | {
      readonly type: 'start';
      readonly session_id: string;
      readonly run_id: string;
      readonly workspace: string;
      readonly data: StartSessionData;
      readonly model?: BridgeModel;
    }
  | { readonly type: 'config_update'; readonly session_id: string; readonly data: StartSessionData; readonly model?: BridgeModel }
  | { readonly type: 'user_message'; readonly session_id: string; readonly run_id: string; readonly data: BridgeMessage }
  | { readonly type: 'cancel'; readonly session_id: string; readonly run_id: string; readonly data: { readonly reason: string; readonly force: boolean } }
  | {
      readonly type: 'cp_response';
      readonly session_id: string;
      readonly id: string;
      readonly result: unknown;
      readonly error: { code: string; message: string } | null;
    }
  | { readonly type: 'get_snapshot'; readonly session_id: string; readonly id: string }
  /** Without `session_id`: everything ends, the bridge too. */
  | { readonly type: 'stop'; readonly session_id?: string; readonly data: { readonly reason: string } };

export interface BridgeMessage {
  readonly message: string;
  /** Oldest first, without the message. */
  readonly history: readonly { readonly role: string; readonly text: string }[];
  readonly system_prompt?: string;
  readonly temperature?: number;
  readonly max_tokens?: number;
  /** The run was begun before, by this or by an earlier process. */
  readonly resume: boolean;
}

const Name = z.string().min(1).max(256);
const run = { session_id: Name, run_id: Name };
const session = { session_id: Name };
const CallId = Name.optional();
const Tokens = z.number().int().min(0);

/** Events of a run. `run_id` says of which: what comes late for an earlier run is never taken for the next one's. */
export const BridgeEvent = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text_chunk'), ...run, content: z.string() }),
  z.looseObject({ type: z.literal('text_reset'), ...run }),
  z.looseObject({ type: z.literal('thinking'), ...run, content: z.string() }),
  z.looseObject({ type: z.literal('tool_call_start'), ...run, tool_name: Name, tool_input: z.unknown().optional(), tool_call_id: CallId }),
  z.looseObject({
    type: z.literal('tool_call_complete'),
    ...run,
    tool_name: Name,
    result: z.unknown().optional(),
    tool_call_id: CallId,
    is_error: z.boolean().optional(),
  }),
  z.looseObject({ type: z.literal('skill_call_start'), ...run, skill_id: Name, skill_input: z.unknown().optional() }),
  z.looseObject({ type: z.literal('skill_call_complete'), ...run, skill_id: Name, result: z.unknown().optional(), is_error: z.boolean().optional() }),
  z.looseObject({
    type: z.literal('execution_complete'),
    ...run,
    content: z.string().optional(),
    cancelled: z.boolean().optional(),
    usage: z.looseObject({ input_tokens: Tokens, output_tokens: Tokens }).optional(),
  }),
  z.looseObject({ type: z.literal('execution_error'), ...run, code: z.string(), error: z.string() }),
]);
export type BridgeEvent = z.infer<typeof BridgeEvent>;

const Params = z.record(z.string(), z.unknown()).default({});
const BridgeCall = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('cp_request'), ...session, id: Name, method: z.string().min(1).max(128), params: Params }),
  z.looseObject({ type: z.literal('cp_fire_and_forget'), ...session, method: z.string().min(1).max(128), params: Params }),
  z.looseObject({
    type: z.literal('snapshot'),
    ...session,
    id: Name.optional(),
    data: z.looseObject({
      checkpoint: z.unknown().optional(),
      short_term_memory: z.unknown().optional(),
      conversation_state: z.unknown().optional(),
      file_manifest: z.unknown().optional(),
    }),
  }),
]);
export type BridgeCall = z.infer<typeof BridgeCall>;

/** Lines from the bridge to the runtime. */
export type BridgeOutput = BridgeEvent | BridgeCall;
const CALLS: readonly string[] = BridgeCall.options.map((option) => option.shape.type.value);

export function isBridgeCall(output: BridgeOutput): output is BridgeCall {
  return CALLS.includes(output.type);
}

/** JSON leaves them as they are, and Node's `readline`, Python's `splitlines` and others take them for the end of a line: a bridge would see two halves. */
const OTHER_LINE_ENDS = /[\u2028\u2029]/g;

/** Reads one line of the bridge. The error is a reason without content: it may be logged. Never throws. */
export function readBridgeLine(text: string): Result<BridgeOutput, string> {
  const json = parseJson(text, { maxBytes: MAX_LINE_BYTES });
  if (!json.ok) return err(json.error.message);
  const type = (json.value as { type?: unknown } | null)?.type;
  const read = (typeof type === 'string' && CALLS.includes(type) ? BridgeCall : BridgeEvent).safeParse(json.value);
  if (read.success) return ok(read.data);
  const [issue] = read.error.issues;
  return err(
    issue?.path[0] === 'type' || issue?.path.length === 0 ? 'no line of the bridge protocol' : `${String(type)}: wrong or missing ${issue?.path.join('.')}`,
  );
}

export function encodeCommand(command: BridgeCommand): string {
  return `${JSON.stringify(command).replace(OTHER_LINE_ENDS, (end) => (end === '\u2028' ? '\\u2028' : '\\u2029'))}\n`;
}
