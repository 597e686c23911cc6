import { plexusError, type RunEnd, routingContracts as routing } from '@plexus/contracts';
import { pause } from '../persist.js';
import { withAttachments } from '../store-attachments.js';
import { runTimeout, systemPrompt } from './chat.methods.js';
import type { MethodCall, MethodHandlers } from './method-context.js';
import { hasEnded } from './run-outcome.js';

type AgentMethods = Pick<MethodHandlers, 'agent' | 'agent.wait' | 'wake' | 'agents.list' | 'models.list' | 'commands.list'>;

const DEFAULT_AGENT_TIMEOUT_MS = 600_000;
const DEFAULT_WAIT_MS = 30_000;
/** The end usually comes from the stream; this finds one that was written while nobody here was reading. */
const POLL_MS = 5_000;

/** How a run ended, or `undefined` while it goes on. */
type Outcome = Pick<RunEnd, 'status' | 'text'> & { readonly error?: { readonly code: string; readonly message: string }; readonly endedAt?: number };

export const agentMethods: AgentMethods = {
  /** Two responses: accepted at once, the result when the run has ended. */
  agent: async (params, call) => {
    const timeoutMs = params.timeout === undefined || params.timeout === 0 ? DEFAULT_AGENT_TIMEOUT_MS : params.timeout * 1_000;
    const accepted = await call.inTurn(params, async () => {
      const content = await withAttachments(params.message, params.attachments, (rpc, data) => call.tell(rpc, data));
      return call.tell(routing.acceptMessage, {
        ...content,
        idempotencyKey: params.idempotencyKey,
        ...(params.sessionKey === undefined ? {} : { sessionKey: params.sessionKey }),
        ...(params.agentId === undefined ? {} : { agentId: params.agentId }),
        ...runTimeout(timeoutMs),
        ...systemPrompt(params.extraSystemPrompt, call),
      });
    });
    const { runId, sessionKey } = accepted;
    call.respond({ runId, sessionKey, status: 'accepted', acceptedAt: call.services.now() });
    const outcome = await waitForEnd(call, runId, sessionKey, timeoutMs);
    if (outcome === undefined) return { runId, sessionKey, status: 'timeout', summary: `no end within ${timeoutMs} ms` };
    const status = clientStatus(outcome);
    return {
      runId,
      sessionKey,
      status,
      summary: status === 'ok' ? 'completed' : (outcome.error?.message ?? outcome.status),
      ...(outcome.error === undefined ? {} : { error: outcome.error }),
      result: { payloads: outcome.text === '' ? [] : [{ text: outcome.text }], meta: { stopReason: outcome.status } },
    };
  },

  'agent.wait': async ({ runId, timeoutMs = DEFAULT_WAIT_MS }, call) => {
    const outcome = await waitForEnd(call, runId, undefined, timeoutMs);
    if (outcome === undefined) return { runId, status: 'timeout' };
    return {
      runId,
      status: clientStatus(outcome),
      ...(outcome.endedAt === undefined ? {} : { endedAt: outcome.endedAt }),
      ...(outcome.error === undefined ? {} : { error: outcome.error.message }),
    };
  },

  /** `now` starts a run with the text; `next-heartbeat` leaves it in the conversation, where the next run finds it. */
  wake: ({ mode, text, sessionKey, agentId }, call) => {
    const place = call.services.tenants.defaultAgent(call.connection.principal.tenant);
    const key = sessionKey ?? `agent:${agentId ?? place.agentId}:${place.mainKey}`;
    return call.inTurn({ sessionKey: key, agentId }, async () => {
      if (mode === 'now') {
        const { runId } = await call.tell(routing.acceptMessage, { sessionKey: key, message: text, ...(agentId === undefined ? {} : { agentId }) });
        return { ok: true, mode, runId };
      }
      await call.tell(routing.injectMessage, { sessionKey: key, message: text, label: 'wake' });
      return { ok: true, mode };
    });
  },

  'agents.list': async (_params, call) => {
    const { defaultAgentId, agents } = await call.ask(routing.listAgents, {});
    const { mainKey } = call.services.tenants.defaultAgent(call.connection.principal.tenant);
    return { defaultId: defaultAgentId, mainKey, scope: 'per-sender', agents };
  },

  /** The models that agents are configured with; the gateway itself offers none. */
  'models.list': async (_params, call) => {
    const { agents, defaultAgentId } = await call.ask(routing.listAgents, {});
    const names = [...new Set(agents.flatMap(({ model }) => (model === undefined ? [] : [model])))];
    return {
      models: names.map((id) => ({
        ...{ id, name: id, provider: id.includes('/') ? id.slice(0, id.indexOf('/')) : 'default', available: true, input: ['text'] },
        // What answers a new session of the default agent.
        ...(agents.some((agent) => agent.id === defaultAgentId && agent.model === id) && { tags: ['default'] }),
      })),
    };
  },

  /** Slash commands of a server; this one has none: what starts with a slash is a message. */
  'commands.list': () => ({ commands: [] }),
};

function clientStatus(outcome: Outcome): 'ok' | 'error' | 'timeout' {
  return outcome.status === 'ok' ? 'ok' : outcome.status === 'timeout' ? 'timeout' : 'error';
}

/** Waits for the end of one of the caller's runs. Undefined when the time is over; RUN_NOT_FOUND when there is no such run. */
async function waitForEnd(call: MethodCall, runId: string, sessionKey: string | undefined, timeoutMs: number): Promise<Outcome | undefined> {
  const deadline = performance.now() + timeoutMs;
  let notify: (end: Outcome) => void = () => undefined;
  const ended = new Promise<Outcome>((resolve) => {
    notify = resolve;
  });
  // Listening starts before the first look, so that no end falls between the two.
  const stop = call.services.sessions.onRunEnd(call.connection.owner, runId, (end) => notify({ ...end, endedAt: call.services.now() }));
  try {
    for (;;) {
      const { run } = await call.ask(routing.getRun, { runId, ...(sessionKey === undefined ? {} : { sessionKey }) });
      if (run === undefined) throw plexusError('RUN_NOT_FOUND', { details: { runId } });
      if (hasEnded(run)) return storedOutcome(run);
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      const seen = await Promise.race([ended, pause(Math.min(POLL_MS, left), call.signal)]);
      if (seen !== undefined) return seen;
    }
  } finally {
    stop();
  }
}

function storedOutcome(run: routing.RunSummary): Outcome {
  return {
    status: run.status as RunEnd['status'],
    text: run.text ?? '',
    ...(run.error === undefined ? {} : { error: run.error }),
    ...(run.endedAt === undefined ? {} : { endedAt: Date.parse(run.endedAt) }),
  };
}
