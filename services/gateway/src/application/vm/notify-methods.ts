import { type InputOf, pushTriggersContracts as triggers, routingContracts, type ResponseOf, type RpcContract } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { DispatchAndNotifyParams, DispatchResearchParams, DispatchStatusParams, NotifyUserParams } from '@plexus/vm-protocol';
import { hasCode } from '../../domain/client-error.js';
import { persist } from '../persist.js';
import { callAs, type Method, read, type RequestContext, vmPrincipal } from './request-context.js';

/** What agents ask of push: tell their user something, or let another agent look into something. Always for the owner of their session. */
export const NOTIFY_METHODS: Readonly<Record<string, Method>> = {
  notify_user: async (params, context) => {
    const { summary, text, severity, case_id, topics, run_id } = read(NotifyUserParams, params);
    const notice = { summary, ...given({ text, severity, caseId: case_id, topics }), ...(await byAgent(run_id, context)) };
    const { eventId } = await ask(context, triggers.notifyUser, notice);
    return { event_id: eventId };
  },

  dispatch_research: async (params, context) => {
    const { query, agent_id, timeout_ms, run_id } = read(DispatchResearchParams, params);
    const request = { query, ...given({ agentId: agent_id, timeoutMs: timeout_ms }), ...(await byAgent(run_id, context)) };
    return { run_id: (await ask(context, triggers.dispatchResearch, request)).runId };
  },

  dispatch_and_notify: async (params, context) => {
    const { query, agent_id, timeout_ms, summary, severity, run_id } = read(DispatchAndNotifyParams, params);
    const request = { query, ...given({ agentId: agent_id, timeoutMs: timeout_ms, summary, severity }), ...(await byAgent(run_id, context)) };
    return { run_id: (await ask(context, triggers.dispatchAndNotify, request)).runId };
  },

  dispatch_status: async (params, context) => {
    const { run } = await ask(context, triggers.dispatchStatus, { runId: read(DispatchStatusParams, params).run_id });
    return { state: run.state, ...given({ result: run.result, error: run.error }) };
  },
};

/** Asks patiently, but says at once that a quota is used up: it is one of an hour, and the agent can decide what to do without. */
function ask<C extends RpcContract>(context: RequestContext, rpc: C, data: InputOf<C>): Promise<ResponseOf<C>> {
  return persist(async () => {
    try {
      return await callAs(vmPrincipal(context), context, rpc, data);
    } catch (error) {
      if (!PlexusError.isPlexusError(error) || !hasCode(error, 'QUOTA_EXCEEDED')) throw error;
      throw new PlexusError({ code: error.code, message: error.message, status: error.status, retryable: false, cause: error });
    }
  }, context.signal);
}

/** Whose run asks, and under which key: the same request, sent again after a reconnect to another gateway, has its effect once. */
async function byAgent(named: string | null | undefined, context: RequestContext): Promise<{ agentRunId: string; idempotencyKey: string }> {
  const { identity, request } = context;
  return { idempotencyKey: `${identity.vmId}:${identity.epoch}:${request.id}`.slice(0, 256), agentRunId: await runOf(named ?? undefined, context) };
}

/**
 * The run whose budget is used. A VM may name one, but only a run of the session that asks: a name made up for each request would be a budget of its
 * own for each. What is no such run, or nobody can say of, counts against the run that the session is known to have, or against the VM.
 */
async function runOf(named: string | undefined, context: RequestContext): Promise<string> {
  const { identity, request, sessions } = context;
  const session = sessions.get(request.session_id);
  if (named !== undefined && session !== undefined && (session.runs.includes(named) || (await isRunOf(named, session.sessionKey, context)))) return named;
  return session?.runId ?? `vm:${identity.vmId}`;
}

/** A message may be in work that another gateway had handed to the VM: then routing knows. */
async function isRunOf(runId: string, sessionKey: string, context: RequestContext): Promise<boolean> {
  try {
    const { run } = await persist(() => callAs(vmPrincipal(context), context, routingContracts.getRun, { runId, sessionKey }), context.signal);
    return run?.sessionKey === sessionKey;
  } catch (error) {
    // Refused for good: not a run of this owner, or no name of one.
    if (PlexusError.isPlexusError(error) && !error.retryable && !context.signal.aborted) return false;
    throw error;
  }
}

/** Without what is null or undefined: contracts know absent keys only. */
function given<T extends Record<string, unknown>>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null && item !== undefined)) as never;
}
