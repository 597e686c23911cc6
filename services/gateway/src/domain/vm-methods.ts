/** Requests that a service answers while the gateway waits. All others are the scheduler's, which answers through the VM's outbox. */
const ANSWERED = new Set([
  ...['memory_search', 'memory_write', 'get_skill_package', 'mcp_call', 'get_config', 'get_session', 'get_attachment'],
  ...['notify_user', 'dispatch_research', 'dispatch_and_notify', 'dispatch_status'],
]);

/** Requests whose repetition would do something a second time. */
const ONCE = new Set(['mcp_call']);

/** Requests whose answers are large and can be had again: they are not kept. */
const BRIEF = new Set(['get_attachment']);

/** What a VM tells without waiting for an answer. */
const TOLD = new Set(['usage_report', 'audit_log', 'memory_write', 'snapshot_sync', 'evolution_submit']);

export const isAnsweredMethod = (method: string): boolean => ANSWERED.has(method);

export const runsOnce = (method: string): boolean => ONCE.has(method);

export const isBrief = (method: string): boolean => BRIEF.has(method);

/** Whether a runtime that sends this speaks of something that nobody here knows. It is handed on all the same, and counted. */
export function isUnknownMethod(frame: { readonly type: string; readonly method?: string }): boolean {
  if (frame.type === 'request') return !ANSWERED.has(frame.method ?? '');
  return frame.type === 'fire_and_forget' && !TOLD.has(frame.method ?? '');
}
