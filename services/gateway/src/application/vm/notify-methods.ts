import { pushTriggersContracts as triggers } from '@plexus/contracts';
import { DispatchAndNotifyParams, DispatchResearchParams, DispatchStatusParams, NotifyUserParams } from '@plexus/vm-protocol';
import { ask, type Method, read, type RequestContext } from './request-context.js';

/** What agents ask of push: tell their user something, or let another agent look into something. Always for the owner of their session. */
export const NOTIFY_METHODS: Readonly<Record<string, Method>> = {
  notify_user: async (params, context) => {
    const { summary, text, severity, case_id, topics, run_id } = read(NotifyUserParams, params);
    const notice = { summary, ...given({ text, severity, caseId: case_id, topics }), ...byAgent(run_id, context) };
    const { eventId } = await ask(context, triggers.notifyUser, notice);
    return { event_id: eventId };
  },

  dispatch_research: async (params, context) => {
    const { query, agent_id, timeout_ms, run_id } = read(DispatchResearchParams, params);
    const request = { query, ...given({ agentId: agent_id, timeoutMs: timeout_ms }), ...byAgent(run_id, context) };
    return { run_id: (await ask(context, triggers.dispatchResearch, request)).runId };
  },

  dispatch_and_notify: async (params, context) => {
    const { query, agent_id, timeout_ms, summary, severity, run_id } = read(DispatchAndNotifyParams, params);
    const request = { query, ...given({ agentId: agent_id, timeoutMs: timeout_ms, summary, severity }), ...byAgent(run_id, context) };
    return { run_id: (await ask(context, triggers.dispatchAndNotify, request)).runId };
  },

  dispatch_status: async (params, context) => {
    const { run } = await ask(context, triggers.dispatchStatus, { runId: read(DispatchStatusParams, params).run_id });
    return { state: run.state, ...given({ result: run.result, error: run.error }) };
  },
};

/** Whose run asks, and under which key: the same request, sent again after a reconnect to another gateway, has its effect once. */
function byAgent(runId: string | null | undefined, { identity, request, sessions }: RequestContext): { agentRunId?: string; idempotencyKey: string } {
  const agentRunId = runId ?? sessions.get(request.session_id)?.runId;
  return { idempotencyKey: `${identity.vmId}:${identity.epoch}:${request.id}`.slice(0, 256), ...given({ agentRunId }) };
}

/** Without what is null or undefined: contracts know absent keys only. */
function given<T extends Record<string, unknown>>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null && item !== undefined)) as never;
}
