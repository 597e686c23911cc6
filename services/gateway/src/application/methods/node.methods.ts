import { plexusError, SCOPES } from '@plexus/contracts';
import { parseJson } from '@plexus/kernel';
import { nodeIdOf, nodeRow } from '../../domain/node-view.js';
import type { NodeAnswer } from '../nodes/invocations.js';
import type { NodeCaller } from '../nodes/nodes.js';
import type { MethodCall, MethodHandlers } from './method-context.js';

type NodeMethods = Pick<MethodHandlers, Extract<keyof MethodHandlers, `node.${string}`>>;

const DEFAULT_TIMEOUT_MS = 30_000;
/** Answers of nodes are read into a response; larger ones belong into a file. */
const MAX_ANSWER_BYTES = 8_000_000;

export const nodeMethods: NodeMethods = {
  'node.list': async (_params, call) => ({ ts: call.services.now(), nodes: (await call.services.nodes.list(callerOf(call))).map(nodeRow) }),

  'node.describe': async ({ nodeId }, call) => {
    const found = (await call.services.nodes.list(callerOf(call))).filter((node) => node.nodeId === nodeId);
    const node = found.find(({ gateway }) => gateway !== undefined) ?? found[0];
    if (node === undefined) throw plexusError('PAIRING_CHANGED', { message: 'no node of this name is known' });
    return { ts: call.services.now(), ...nodeRow(node) };
  },

  // Nodes come in by their user's credential, so nothing ever waits for approval.
  'node.pair.list': async (_params, call) => {
    const nodes = await call.services.nodes.list(callerOf(call));
    return { pending: [], paired: nodes.map((node) => ({ ...nodeRow(node), approvedAtMs: node.connectedAt, createdAtMs: node.connectedAt })) };
  },

  'node.invoke': async ({ nodeId, command, idempotencyKey, params, timeoutMs }, call) => {
    const invocation = {
      nodeId,
      command,
      idempotencyKey,
      timeoutMs: timeoutMs === undefined || timeoutMs === 0 ? DEFAULT_TIMEOUT_MS : timeoutMs,
      ...(params === undefined ? {} : { paramsJSON: JSON.stringify(params) }),
    };
    const { ok, payloadJSON, error } = await call.services.nodes.invoke(callerOf(call), invocation, call.signal);
    if (!ok) {
      const said = error ?? { code: 'UNAVAILABLE', message: 'the node gave no reason' };
      throw plexusError('NODE_INVOKE_FAILED', { message: said.message, details: { nodeId, command, nodeError: said } });
    }
    return { ok: true, nodeId, command, ...payloadOf(payloadJSON) };
  },

  'node.event': ({ event, payload, payloadJSON }, call) => {
    const { sessionKey } = (payload ?? readJson(payloadJSON) ?? {}) as { sessionKey?: unknown };
    if (event !== 'chat.subscribe' && event !== 'chat.unsubscribe') return { ok: true, event, handled: false, reason: 'unsupported_event' };
    if (typeof sessionKey !== 'string' || sessionKey.trim() === '' || sessionKey.length > 512)
      return { ok: true, event, handled: false, reason: 'missing_session_key' };
    const { connection, services } = call;
    if (event === 'chat.unsubscribe') services.nodes.unsubscribe(connection, sessionKey.trim());
    else if (!services.nodes.subscribe(connection, sessionKey.trim())) return { ok: true, event, handled: false, reason: 'too_many_subscriptions' };
    return { ok: true, event, handled: true };
  },

  'node.invoke.result': ({ id, nodeId, ok, payload, payloadJSON, error }, call) => {
    requireSelf(nodeId, call);
    const answer: NodeAnswer = {
      ok,
      ...(payloadJSON != null ? { payloadJSON } : payload === undefined ? {} : { payloadJSON: JSON.stringify(payload) }),
      ...(error == null ? {} : { error: { code: error.code ?? 'UNAVAILABLE', message: error.message ?? 'the node gave no reason' } }),
    };
    // A late answer is nothing that a node could do better: it is told, not refused.
    return call.services.nodes.answered(call.connection, id, answer) ? { ok: true } : { ok: true, ignored: true };
  },

  'node.invoke.progress': ({ nodeId }, call) => {
    requireSelf(nodeId, call);
    return { ok: true };
  },

  // Nodes announce these after every connect. Agents of this mesh run in VMs and take tools and skills from there.
  'node.pluginTools.update': () => ({ ok: true }),
  'node.skills.update': () => ({ ok: true }),
  'node.runnerInventory.update': () => ({ ok: true }),
  'node.pending.pull': (_params, { connection }) => ({ nodeId: nodeIdOf(connection.introduction, connection.id), actions: [] }),
  'node.pending.drain': (_params, { connection }) => ({ nodeId: nodeIdOf(connection.introduction, connection.id), revision: 0, items: [], hasMore: false }),
};

function callerOf({ connection }: MethodCall): NodeCaller {
  const { tenant, user } = connection.principal;
  return { tenant, user, admin: connection.has(SCOPES.admin) };
}

/** A node speaks for itself only. */
function requireSelf(nodeId: string, { connection }: MethodCall): void {
  if (nodeId !== nodeIdOf(connection.introduction, connection.id)) throw plexusError('FORBIDDEN', { message: 'nodeId is not the one of this connection' });
}

/** Both forms, as clients read either. What is no JSON stays text. */
function payloadOf(payloadJSON: string | undefined): { payload?: unknown; payloadJSON?: string } {
  if (payloadJSON === undefined) return {};
  const payload = readJson(payloadJSON);
  return { payloadJSON, ...(payload === undefined ? {} : { payload }) };
}

function readJson(text: string | undefined | null): unknown {
  if (text == null) return undefined;
  const parsed = parseJson(text, { maxBytes: MAX_ANSWER_BYTES });
  return parsed.ok ? parsed.value : undefined;
}
