import { classifyRejection, isAbortError, isTransientNetworkError, LruDedupe } from '@plexus/kernel';
import * as accounts from '../accounts.js';
import { breakerStep, CIRCUIT_EVENT_NAMES, CLOSED_CIRCUIT } from '../circuit-breaker.js';
import { classifyFailure } from '../failure.js';
import { classifyMessage } from '../failure-patterns.js';
import { statusForReason } from '../failure-reason.js';
import { planSendMirror } from '../gateway-send.js';
import { type HealthState, healthScore, healthStep, UNKNOWN_HEALTH } from '../health-window.js';
import { mirrorText } from '../mirror-text.js';
import { NodeSubscriptions } from '../node-subscriptions.js';
import { resolveOutboundRoute } from '../outbound-route.js';
import { type HttpAnswer, offerToPlugins } from '../plugin-http.js';
import { compileRoutes, resolveRoute } from '../route.js';
import { SeenTracker } from '../seen-tracker.js';
import { sessionEntryPatch } from '../session-entry.js';
import { slackAutoThread } from '../slack-auto-thread.js';
import { normaliseTarget } from '../target-registry.js';
import { buildError } from './error-spec.js';
import { KEY_OPERATIONS } from './key-operations.js';
import type { Operation, VectorInput } from './operation.js';

/** What answers the vectors of a file: one function, or one per `op`. */
export type Suite = Operation | Readonly<Record<string, Operation>>;

/** Scores are compared to nine decimals. */
const rounded = (score: number): number => Math.round(score * 1e9) / 1e9;

/** By file name. */
export const SUITES: Readonly<Record<string, Suite>> = {
  'resolve-route.json': ({ config, input }) => {
    const { lastRoutePolicy: _, ...route } = resolveRoute(compileRoutes(config), input as never);
    return route;
  },
  'session-key.json': KEY_OPERATIONS,
  'identity-links.json': KEY_OPERATIONS,
  'bindings.json': {
    listBoundAccountIds: ({ config, channel }) => accounts.boundAccountIds(config, channel),
    resolveDefaultAgentBoundAccountId: ({ config, channel }) => accounts.defaultAgentAccountId(config, channel),
    buildChannelAccountBindings: ({ config }) =>
      Object.fromEntries([...accounts.channelAccountBindings(config)].map(([channel, agents]) => [channel, Object.fromEntries(agents)])),
    resolvePreferredAccountId: (input) => accounts.preferredAccountId(input as never),
  },
  'outbound-session.json': ({ config, ...input }) => resolveOutboundRoute(config, input as never),
  'target-normalize.json': ({ channel, target }) => normaliseTarget(channel, target),
  'gateway-send.json': ({ config, request, resolvedTarget }) => {
    const mirror = planSendMirror(config, { ...request, to: resolvedTarget });
    return { mirror: mirror ? { sessionKey: mirror.sessionKey, agentId: mirror.agentId } : null, sessionEntryEnsured: mirror?.route !== undefined };
  },
  'slack-auto-thread.json': ({ target, toolContext }) => slackAutoThread(target, toolContext),
  'mirror-text.json': ({ text, mediaUrls }) => mirrorText(text, mediaUrls),
  'session-entry.json': ({ ctx, existing }) => sessionEntryPatch(ctx, existing),
  'failover.json': {
    '': ({ error }) => {
      const { reason, status, code, message, isTimeout } = classifyFailure(buildError(error));
      const coerced = reason === undefined ? null : { reason, status: status ?? null, code: code ?? null, message };
      return { reason: reason ?? null, coerced, isTimeout };
    },
    classifyMessage: ({ message }) => ({ reason: classifyMessage(message) ?? null }),
    statusForReason: ({ reason }) => ({ status: statusForReason(reason) ?? null }),
  },
  'error-class.json': ({ error }) => {
    const built = buildError(error);
    const kind = classifyRejection(built);
    return { class: kind, exit: kind !== 'abort' && kind !== 'transient', isAbort: isAbortError(built), isTransientNetwork: isTransientNetworkError(built) };
  },
  'dedupe.json': dedupe,
  'seen-tracker.json': seenTracker,
  'node-subscriptions.json': nodeSubscriptions,
  'circuit-breaker.json': circuitBreaker,
  'health-score.json': healthScores,
  'plugin-http.json': pluginHttp,
};

function dedupe({ limit, generate, steps = [], then = [] }: VectorInput): unknown[] {
  const seen = new LruDedupe(typeof limit === 'number' ? { limit } : {});
  if (generate) for (let n = generate.from; n <= generate.to; n++) seen.mark(`${generate.prefix}${n}`);
  return [...steps, ...then].map(({ op, id }: { op: 'mark' | 'has' | 'size'; id?: string | null }) => (op === 'size' ? seen.size : seen[op](id)));
}

function seenTracker({ options, steps }: VectorInput): unknown[] {
  let now = 0;
  const tracker = new SeenTracker({ ...options, now: () => now });
  return steps.map(({ op, id, ids, at, ms }: { op: 'has' | 'peek' | 'add' | 'delete' | 'clear' | 'seed' | 'size'; id: string; ids: string[]; at?: number; ms?: number }) => {
    now = at ?? now + (ms ?? 0);
    if (op === 'size') return tracker.size;
    if (op === 'seed') return tracker.seed(ids);
    return op === 'clear' ? tracker.clear() : tracker[op](id);
  });
}

function nodeSubscriptions({ steps }: VectorInput): unknown[] {
  const subscriptions = new NodeSubscriptions();
  const results: unknown[] = [];
  for (const { op, nodeId, nodeIds, connected, sessionKey, event, payload, noSender } of steps) {
    const sent: unknown[] = [];
    const send = noSender ? undefined : (message: unknown) => void sent.push(message);
    if (op === 'subscribe' || op === 'unsubscribe') subscriptions[op as 'subscribe'](nodeId, sessionKey);
    else if (op === 'unsubscribeAll') subscriptions.unsubscribeAll(nodeId);
    else {
      if (op === 'sendToSession') subscriptions.sendToSession(sessionKey, event, payload, send);
      else if (op === 'sendToAllSubscribed') subscriptions.sendToAllSubscribed(event, payload, send);
      else subscriptions.sendToAllConnected(connected ?? nodeIds ?? [], event, payload, send);
      results.push(sent);
    }
  }
  return results;
}

function circuitBreaker({ threshold, resetMs, steps }: VectorInput): unknown[] {
  let state = CLOSED_CIRCUIT;
  return steps.map(({ at, op }: { at: number; op: 'canAttempt' | 'success' | 'failure' }) => {
    const step = breakerStep(state, op === 'canAttempt' ? 'attempt' : op, at, { threshold, resetMs });
    state = step.state;
    return { result: step.allowed ?? null, state: state.state, events: step.transition ? [CIRCUIT_EVENT_NAMES[step.transition]] : [] };
  });
}

function healthScores({ steps }: VectorInput): unknown[] {
  const states = new Map<string, HealthState>();
  const scores: unknown[] = [];
  for (const { at, op, relay, latencyMs } of steps) {
    const state = states.get(relay) ?? UNKNOWN_HEALTH;
    const cumulative = { windowMs: Number.POSITIVE_INFINITY };
    if (op === 'score') scores.push(rounded(healthScore(state, at, cumulative)));
    else states.set(relay, healthStep(state, op === 'success' ? { kind: 'success', latencyMs } : { kind: 'failure' }, at, cumulative));
  }
  return scores;
}

interface PluginSpec {
  readonly name: string;
  readonly path?: string;
  readonly handled?: boolean;
  readonly throws?: boolean;
  readonly headersSent?: boolean;
}

async function pluginHttp({ url, routes = [], handlers = [] }: VectorInput): Promise<unknown> {
  const calls: string[] = [];
  let warnings = 0;
  const headers: Record<string, string> = {};
  const response = { headersSent: false, statusCode: 200, body: null as string | null, setHeader: (name: string, value: string) => void (headers[name] = value) };
  const answer = { ...response, end: (body?: string) => void (answer.body = body ?? null) } satisfies HttpAnswer & { body: string | null };
  const run = ({ name, handled, throws, headersSent }: PluginSpec) => (): boolean => {
    calls.push(name);
    if (headersSent) answer.headersSent = true;
    if (throws) throw new Error(name);
    return handled ?? true;
  };
  const handled = await offerToPlugins({ url: url as string }, answer, {
    routes: (routes as PluginSpec[]).map((spec) => ({ path: spec.path ?? '', handle: run(spec) })),
    handlers: (handlers as PluginSpec[]).map(run),
    warn: () => {
      warnings += 1;
    },
  });
  return { handled, calls, warnings, status: answer.statusCode, headers, body: answer.body };
}
