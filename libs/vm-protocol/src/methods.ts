import { z } from 'zod';
import { SkillPackageAnswer } from './skill-package.js';

/**
 * The methods of `request` and `fire_and_forget` frames: what goes in and, for requests, what comes back. Unknown fields are kept: either end
 * may be newer than the other.
 */

const count = z.number().int().min(0).max(2_000_000_000);

export const MemorySearchParams = z.looseObject({ query: z.string().min(1).max(4_096), top_k: z.number().int().min(1).max(50).nullish() });
export const MemorySearchResult = z.looseObject({
  results: z.array(z.looseObject({ id: z.string(), content: z.string(), score: z.number(), metadata: z.looseObject({}).default({}) })),
});

export const MemoryWriteParams = z.looseObject({
  content: z.string().min(1).max(65_536),
  memory_type: z.string().max(64).nullish(),
  importance: z.number().min(0).max(1).nullish(),
  metadata: z.record(z.string().max(128), z.unknown()).nullish(),
});
export const MemoryWriteResult = z.looseObject({ id: z.string() });

export const GetSkillPackageParams = z.looseObject({ skill_id: z.string().min(1).max(256), version: z.string().max(64).nullish() });
export const McpCallParams = z.looseObject({
  server: z.string().min(1).max(256),
  tool: z.string().min(1).max(256),
  arguments: z.record(z.string(), z.unknown()).nullish(),
});
export const McpCallResult = z.looseObject({ result: z.unknown() });

export const GetConfigParams = z.looseObject({ agent_id: z.string().min(1).max(256) });
export const GetConfigResult = z.looseObject({ config: z.looseObject({}) });

export const GetSessionParams = z.looseObject({ session_id: z.string().min(1).max(256) });
export const GetSessionResult = z.looseObject({ session: z.looseObject({}), agent: z.looseObject({}).nullish() });

export const GetAttachmentParams = z.looseObject({
  attachment_id: z.string().min(1).max(64),
  part: z.number().int().min(0).max(31).nullish().describe('From 0.'),
});
export const GetAttachmentResult = z.looseObject({
  data: z.string().describe('Base64 of this part.'),
  next: z.number().int().min(1).nullish().describe('The part behind this one; absent: it was the last.'),
});

const runId = z.string().min(1).max(256).nullish().describe('The run that asks: what it causes is counted against it.');
const severity = z.enum(['low', 'medium', 'high', 'critical']).nullish();
const Research = {
  query: z.string().min(1).max(200_000),
  agent_id: z.string().min(1).max(64).nullish(),
  timeout_ms: z.number().int().min(1_000).max(3_600_000).nullish(),
  run_id: runId,
};

export const NotifyUserParams = z.looseObject({
  summary: z.string().min(1).max(2_000),
  text: z.string().max(16_000).nullish(),
  severity,
  case_id: z.string().min(1).max(256).nullish(),
  topics: z.array(z.string().min(1).max(256)).max(100).nullish(),
  run_id: runId,
});
export const NotifyUserResult = z.looseObject({ event_id: z.string() });
export const DispatchResearchParams = z.looseObject(Research);
export const DispatchAndNotifyParams = z.looseObject({ ...Research, summary: z.string().min(1).max(500).nullish(), severity });
export const DispatchResult = z.looseObject({ run_id: z.string() });
export const DispatchStatusParams = z.looseObject({ run_id: z.string().min(1).max(128) });
export const DispatchStatusResult = z.looseObject({
  state: z.enum(['pending', 'researching', 'done', 'failed']),
  result: z.string().nullish(),
  error: z.looseObject({ code: z.string(), message: z.string() }).nullish(),
});

export const UsageReportParams = z.looseObject({
  model: z.string().min(1).max(256),
  tokens_in: count.describe('All of the input, with what the endpoint had cached.'),
  tokens_out: count,
  latency_ms: count.nullish(),
  run_id: z.string().min(1).max(256).optional(),
  cache_read_tokens: count.optional(),
  cache_write_tokens: count.optional(),
});
export const AuditLogParams = z.looseObject({ event: z.string().min(1).max(128), details: z.unknown().optional() });
export const SnapshotSyncParams = z.looseObject({
  version: count.min(1).optional().describe('Increasing per session, over all incarnations; a runtime that does not number is numbered by the mesh.'),
  kind: z.enum(['full', 'delta']).default('full'),
  unchanged: z.boolean().optional().describe('The version is still the newest; the content is left out.'),
  checkpoint: z.unknown().optional(),
  short_term_memory: z.unknown().optional(),
  conversation_state: z.unknown().optional(),
  file_manifest: z.unknown().optional(),
});
export const EvolutionSubmitParams = z.looseObject({
  name: z.string().min(1).max(256),
  description: z.string().max(16_384),
  skill_md: z.string().min(1).max(262_144),
  quality_score: z.number().min(0).max(1),
});

/** Answered by `response`. */
export const REQUEST_METHODS = {
  memory_search: { params: MemorySearchParams, result: MemorySearchResult },
  memory_write: { params: MemoryWriteParams, result: MemoryWriteResult },
  get_skill_package: { params: GetSkillPackageParams, result: SkillPackageAnswer },
  mcp_call: { params: McpCallParams, result: McpCallResult },
  get_config: { params: GetConfigParams, result: GetConfigResult },
  get_session: { params: GetSessionParams, result: GetSessionResult },
  get_attachment: { params: GetAttachmentParams, result: GetAttachmentResult },
  notify_user: { params: NotifyUserParams, result: NotifyUserResult },
  dispatch_research: { params: DispatchResearchParams, result: DispatchResult },
  dispatch_and_notify: { params: DispatchAndNotifyParams, result: DispatchResult },
  dispatch_status: { params: DispatchStatusParams, result: DispatchStatusResult },
} as const;

/** No answer. */
export const TELL_METHODS = {
  usage_report: { params: UsageReportParams },
  audit_log: { params: AuditLogParams },
  memory_write: { params: MemoryWriteParams },
  snapshot_sync: { params: SnapshotSyncParams },
  evolution_submit: { params: EvolutionSubmitParams },
} as const;

export type RequestMethod = keyof typeof REQUEST_METHODS;
export type TellMethod = keyof typeof TELL_METHODS;
export type ParamsOf<M extends RequestMethod | TellMethod> = M extends RequestMethod
  ? z.input<(typeof REQUEST_METHODS)[M]['params']>
  : M extends TellMethod
    ? z.input<(typeof TELL_METHODS)[M]['params']>
    : never;
export type ResultOf<M extends RequestMethod> = z.output<(typeof REQUEST_METHODS)[M]['result']>;

export const isRequestMethod = (method: string): method is RequestMethod => Object.hasOwn(REQUEST_METHODS, method);
export const isTellMethod = (method: string): method is TellMethod => Object.hasOwn(TELL_METHODS, method);
