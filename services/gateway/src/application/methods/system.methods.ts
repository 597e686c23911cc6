import { configContracts as config, plexusError, SCOPES } from '@plexus/contracts';
import type { ClientConnection } from '../client-connection.js';
import { healthView } from '../health-news.js';
import type { PresenceEntry } from '../presence.js';
import type { MethodCall, MethodHandlers } from './method-context.js';

type SystemMethods = Pick<
  MethodHandlers,
  | 'health'
  | 'status'
  | 'system-presence'
  | 'logs.tail'
  | 'question.list'
  | 'plugin.approval.list'
  | 'exec.approval.list'
  | 'device.pair.list'
  | 'last-heartbeat'
  | 'config.get'
>;

export const systemMethods: SystemMethods = {
  health: (_params, call) => healthOf(call),

  status: (_params, call) => ({
    ...healthOf(call),
    runtimeVersion: call.services.version,
    uptimeMs: call.services.now() - call.services.startedAt,
    connections: visible(call).length,
    channelSummary: [],
    ...(call.connection.has(SCOPES.admin) && { counters: call.services.counters() }),
  }),

  /** The newest lines of the gateway that answers. They concern every tenant, so only the deployment's own token may read them. */
  'logs.tail': ({ cursor, limit = 200, maxBytes = 250_000 }, { services, connection }) => {
    if (connection.credential.proof.kind !== 'shared')
      throw plexusError('FORBIDDEN', { message: 'logs concern the whole deployment: only its own token may read them' });
    const { size, lines, truncated, reset, cursor: next } = services.logTail.read({ ...(cursor === undefined ? {} : { cursor }), limit, maxBytes });
    return { file: `${services.gatewayId}.log`, cursor: next, size, lines, ...(truncated && { truncated }), ...(reset && { reset }) };
  },

  // Agents of this mesh ask nobody for permission: nothing ever waits. Screens that list it need an answer all the same.
  'question.list': () => ({ questions: [] }),
  'plugin.approval.list': () => [],
  'exec.approval.list': () => [],
  // Devices prove themselves by tokens, and nothing beats by itself here.
  'device.pair.list': () => ({ pending: [], paired: [] }),
  'last-heartbeat': () => null,

  /** The tenant's document as it was written; one that is larger than a frame between services is read over HTTP. */
  'config.get': async (_params, call) => {
    const { text, revision, hash, exists } = await call.ask(config.getConfig, {});
    return {
      path: `plexus:${call.connection.principal.tenant}`,
      exists,
      valid: true,
      hash,
      revision,
      issues: [],
      warnings: [],
      ...(text !== undefined && { raw: text }),
    };
  },

  'system-presence': async (_params, { services, connection }) => {
    const { tenant, user } = connection.principal;
    const entries = await services.presence.list(tenant, connection.has(SCOPES.admin) ? undefined : user);
    return entries.map(presenceRow);
  },
};

function healthOf({ services, connection }: MethodCall) {
  const { agentId } = services.tenants.defaultAgent(connection.principal.tenant);
  return healthView(services.health(), { ts: services.now(), defaultAgentId: agentId });
}

/** Connections to this gateway process that the caller may know of: its own, or all of the tenant for an administrator. */
function visible({ services, connection }: MethodCall): ClientConnection[] {
  if (!connection.has(SCOPES.admin)) return [...services.connections.ofOwner(connection.owner)];
  return [...services.connections.all()].filter((other) => other.principal.tenant === connection.principal.tenant);
}

/** An entry as clients list it. */
export function presenceRow({ gateway, ...entry }: PresenceEntry): object {
  return { ...entry, host: gateway };
}
