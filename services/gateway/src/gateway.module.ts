import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Module } from '@nestjs/common';
import { BUCKETS, routingContracts as routing } from '@plexus/contracts';
import { ConfigurationError } from '@plexus/kernel';
import {
  auditWriter,
  allowedHosts,
  guardedFetch,
  LogTail,
  requireStrongSecret,
  type ServiceConfig,
  type ServiceContext,
  type ServiceDefinition,
  type ServiceParts,
  verifyTenantToken,
} from '@plexus/service-kit';
import { BearerCheck } from './adapters/http/bearer-check.js';
import { createHttpApi } from './adapters/http/http-api.js';
import { EventStreams } from './adapters/http/event-streams.js';
import { DeclaredIssuers } from './adapters/issuers/declared-issuers.js';
import { BusSurvey } from './adapters/nats/bus-survey.js';
import { DirectoryTenants } from './adapters/nats/directory-tenants.js';
import { DirectoryAgents } from './adapters/nats/directory-agents.js';
import { GatewayPeers } from './adapters/nats/gateway-peers.js';
import { NatsNodeDirectory } from './adapters/nats/node-directory.js';
import { SessionEventPublisher } from './adapters/nats/session-event-publisher.js';
import { SessionStreamReader } from './adapters/nats/session-stream-reader.js';
import { StoredAnswers } from './adapters/nats/stored-answers.js';
import { StoredPresence } from './adapters/nats/stored-presence.js';
import { StoredRequests } from './adapters/nats/stored-requests.js';
import { StoredTickets } from './adapters/nats/stored-tickets.js';
import { WatchedEpochs } from './adapters/nats/watched-epochs.js';
import { WatchedRevocations } from './adapters/nats/watched-revocations.js';
import { loadPlugins } from './adapters/plugins/load-plugins.js';
import { nestLogger, socketMetrics, traced } from './adapters/telemetry.js';
import { vmTracing } from './adapters/vm-tracing.js';
import { ClientEndpoint } from './adapters/ws/client-endpoint.js';
import { Liveness } from './adapters/ws/liveness.js';
import { refuseUpgrade } from './adapters/ws/refuse-upgrade.js';
import { VmEndpoint } from './adapters/ws/vm-endpoint.js';
import { Authenticator, type SharedToken } from './application/authenticator.js';
import { ClientHandshake } from './application/client-handshake.js';
import { Connections } from './application/connections.js';
import { CountedMesh } from './application/counted-mesh.js';
import { HealthNews } from './application/health-news.js';
import { InboxFeeds } from './application/inbox-feeds.js';
import { RECENT_LIMITS, RecentBudget } from './application/recent-items.js';
import { MeshMap } from './application/mesh-map.js';
import type { MethodServices } from './application/methods/method-context.js';
import { Invocations } from './application/nodes/invocations.js';
import { KeptAnswers } from './application/kept-answers.js';
import { LocalNodes } from './application/nodes/local-nodes.js';
import { Nodes } from './application/nodes/nodes.js';
import { persist } from './application/persist.js';
import { nodeBroadcasts } from './application/plugins/node-broadcasts.js';
import { PluginChain } from './application/plugins/plugin-chain.js';
import type { Mesh } from './application/ports.js';
import { Presence } from './application/presence.js';
import { SessionFeed } from './application/session-feed.js';
import { Tickets } from './application/tickets.js';
import { KeptRequests } from './application/vm/kept-requests.js';
import { VmConnections } from './application/vm/vm-connections.js';
import type { VmCounters, VmServices } from './application/vm/vm-ports.js';
import { type StartedRun, WatchedRuns } from './application/watch/watched-runs.js';
import { Watchers } from './application/watch/watchers.js';
import { gatewayConfig } from './config.js';
import type { Credential } from './domain/caller.js';
import { trustedProxies } from './domain/client-address.js';
import { HttpRates, UsageLimits } from './domain/request-rates.js';

const logTail = new LogTail();

type Context = ServiceContext<ServiceConfig<typeof gatewayConfig>>;

const MAX_VM_SOCKETS = 100_000;
const SSE_HEARTBEAT_MS = 15_000;
const REVOKED = 4403;
const MAX_KEYS_BYTES = 262_144;
const CANCEL_LIMIT_MS = 60_000;
/** What is not removed by then is removed by the other gateways. */
const PRESENCE_STOP_MS = 1_500;

/** Of the time that sockets have at the end: the rest is for peers that do not answer the close. */
const DRAIN_SHARE = 0.7;

/** The gateway serves no RPC: its handlers are sockets. */
@Module({})
class GatewayModule {}

/** Wires the gateway: one feed of session events, one registry of connections, and the public listener in front of them. */
export async function createGateway(context: Context): Promise<ServiceParts> {
  const { config, bus, log, clock, identity, instanceId } = context;
  const proxies = readProxies(config.GATEWAY_TRUSTED_PROXIES);
  const tenants = new DirectoryTenants(context.tenants);
  const revocations = new WatchedRevocations();
  const epochs = new WatchedEpochs(log);
  const epochOf = (vmId: string) => epochs.of(vmId);
  const state = { serving: false, draining: false };
  const health = () => {
    const failing = [...(bus.isConnected() ? [] : ['nats']), ...(state.draining ? ['draining'] : state.serving ? [] : ['starting'])];
    return { ready: failing.length === 0, failing };
  };

  const keyFetch = guardedFetch({ allowPrivate: allowedHosts(config.GATEWAY_PRIVATE_HOSTS), maxAnswerBytes: MAX_KEYS_BYTES, maxSockets: 4 });
  const clocks = { now: () => clock.now(), monotonic: () => clock.monotonic() };
  const issuers = new DeclaredIssuers(() => context.tenants.platform(), keyFetch, clocks, log.child({ part: 'issuers' }));
  const authenticator = new Authenticator({
    shared: await sharedToken(config),
    tenants,
    revocations,
    verifyJwt: (token) => verifyTenantToken(token, context.tenants.platform(), clock.now()),
    issuers,
    now: () => clock.now(),
  });
  const connections = new Connections();
  const vmCounters: VmCounters = { badFrames: 0, unknownSession: 0, unknownMethod: 0, refused: 0, late: 0 };
  const service = (tenant: string) => identity.service(tenant);
  const recentForgotten = context.metrics.counter('inboxRecentForgotten');
  const recent = new RecentBudget(RECENT_LIMITS, () => recentForgotten.add(1));
  const inboxes = new InboxFeeds(bus, bus, { service }, clock, log.child({ part: 'inbox' }), recent);
  const sessions = new SessionFeed(connections, epochOf, log.child({ part: 'sessions' }));
  const reader = new SessionStreamReader(bus, sessions, log.child({ part: 'session-stream' }));
  const mesh = new CountedMesh(bus);
  context.reload.operations(() => mesh.inFlight);
  const watchers = new Watchers(connections);
  const watchLog = log.child({ part: 'watchers' });
  const presenceLog = log.child({ part: 'presence' });
  const storedPresence = new StoredPresence(instanceId, clock, presenceLog);
  const presenceLimits = { perUser: config.GATEWAY_MAX_USER_CONNECTIONS, perTenant: config.GATEWAY_MAX_TENANT_CONNECTIONS };
  const presence = new Presence(storedPresence, presenceLimits, presenceLog);
  const peers = new GatewayPeers(bus, instanceId, clock, watchLog, () => (presenceLimits.perTenant > 0 ? { tenants: presence.counts() } : {}));
  const watchedRuns = new WatchedRuns({
    isWatched: (place) => watchers.isWatched(place),
    peers,
    cancel: (run) => cancelUnwatched(mesh, run),
    onRunEnd: (owner, runId, listener) => sessions.onRunEnd(owner, runId, listener),
    clock,
    graceMs: config.GATEWAY_DISCONNECT_GRACE_MS,
    log: watchLog,
  });
  const nodeLog = log.child({ part: 'nodes' });
  const nodeDirectory = new NatsNodeDirectory(bus, instanceId, clock, nodeLog);
  const nodes = new Nodes(new LocalNodes(), new Invocations(clock), nodeDirectory, instanceId, nodeLog);
  const news = new HealthNews(
    health,
    connections,
    (tenant) => tenants.defaultAgent(tenant).agentId,
    () => clock.now(),
  );
  const services: MethodServices = {
    mesh,
    tenants,
    connections,
    sessions,
    inboxes,
    presence,
    watchedRuns,
    nodes,
    logTail,
    gatewayId: instanceId,
    version: context.version,
    now: () => clock.now(),
    startedAt: clock.now(),
    health,
    news,
    counters: () => ({ sessions: { ...sessions.counters }, vms: { ...vmCounters }, delivery: { ...clients.counters }, inboxes: { ...recent.kept } }),
  };

  const policy = {
    allowedOrigins: config.GATEWAY_ALLOWED_ORIGINS,
    maxPayload: config.GATEWAY_MAX_PAYLOAD_BYTES,
    maxBufferedBytes: config.GATEWAY_MAX_BUFFERED_BYTES,
    tickIntervalMs: config.GATEWAY_TICK_MS,
  };
  const clientLog = log.child({ part: 'clients' });
  const storedAnswers = new StoredAnswers();
  const storedTickets = new StoredTickets();
  const tickets = new Tickets(
    storedTickets,
    (credential) => authenticator.isWithdrawn(credential),
    () => clock.now(),
  );
  const handshake = new ClientHandshake(authenticator, tickets, presence, instanceId, policy, services, () => state.serving, clientLog);
  const metrics = socketMetrics(context.metrics);
  const usage = new UsageLimits(
    {
      userRequests: config.GATEWAY_USER_REQUESTS_PER_SECOND,
      userBytes: config.GATEWAY_USER_BYTES_PER_SECOND,
      tenantRequests: config.GATEWAY_TENANT_REQUESTS_PER_SECOND,
      tenantBytes: config.GATEWAY_TENANT_BYTES_PER_SECOND,
    },
    () => clock.monotonic(),
  );
  const clients = new ClientEndpoint(
    handshake,
    services,
    connections,
    inboxes,
    {
      maxPayloadBytes: config.GATEWAY_MAX_PAYLOAD_BYTES,
      maxBufferedBytes: config.GATEWAY_MAX_BUFFERED_BYTES,
      maxUnauthenticated: config.GATEWAY_MAX_UNAUTHENTICATED,
      maxRequests: config.GATEWAY_MAX_REQUESTS,
      trustedProxies: proxies,
      messagesPerSecond: config.GATEWAY_MESSAGES_PER_SECOND,
      messageBurst: config.GATEWAY_MESSAGE_BURST,
      usage,
    },
    traced,
    metrics,
    clientLog,
    clock,
  );

  const streams = new EventStreams({ maxBufferedBytes: config.GATEWAY_MAX_BUFFERED_BYTES, heartbeatMs: SSE_HEARTBEAT_MS }, metrics.streams);

  const rates = new HttpRates(
    {
      user: { perSecond: config.GATEWAY_HTTP_USER_PER_SECOND, burst: config.GATEWAY_HTTP_USER_BURST },
      address: { perSecond: config.GATEWAY_HTTP_ADDRESS_PER_SECOND, burst: config.GATEWAY_HTTP_ADDRESS_BURST },
      requestsPerMinute: (tenant) => tenants.requestsPerMinute(tenant),
    },
    () => clock.monotonic(),
  );
  const bearer = new BearerCheck(authenticator, rates, usage, () => clock.now());
  const pluginLog = log.child({ part: 'plugins' });
  const chain = new PluginChain(pluginLog);
  const plugins = await loadPlugins(config.GATEWAY_PLUGINS, chain, nodeBroadcasts(nodes, tenants), pluginLog);

  const vmLog = log.child({ part: 'vms' });
  const storedRequests = new StoredRequests();
  const vmServices: VmServices = {
    mesh: bus,
    events: new SessionEventPublisher(bus),
    agents: new DirectoryAgents(context.tenants),
    requests: new KeptRequests(storedRequests, () => clock.now(), vmLog),
    tracing: vmTracing(context.metrics),
    log: vmLog,
    gatewayId: instanceId,
    service,
    monotonic: () => clock.monotonic(),
    now: () => clock.now(),
    counters: vmCounters,
  };
  const vmConnections = new VmConnections(vmServices, bus);
  const vms = new VmEndpoint(
    vmConnections,
    vmServices,
    {
      authMs: config.GATEWAY_VM_AUTH_MS,
      frameBytes: config.GATEWAY_VM_FRAME_BYTES,
      framesPerSecond: config.GATEWAY_VM_FRAMES_PER_SECOND,
      frameBurst: config.GATEWAY_VM_FRAME_BURST,
      maxSockets: MAX_VM_SOCKETS,
    },
    metrics,
  );
  const liveness = new Liveness(
    clients,
    vms,
    streams,
    inboxes,
    vmConnections,
    news,
    {
      handshakeMs: config.GATEWAY_HANDSHAKE_MS,
      tickMs: config.GATEWAY_TICK_MS,
      pingMs: config.GATEWAY_PING_MS,
      beatMs: config.GATEWAY_VM_BEAT_MS,
      expiryGraceMs: config.GATEWAY_EXPIRY_GRACE_MS,
    },
    clock,
    log,
  );

  context.vitals(() => ({ clients: clients.size, vms: vms.size, streams: streams.size }));
  const closeWithdrawn = () => {
    const isWithdrawn = (credential: Credential) => authenticator.isWithdrawn(credential);
    for (const connection of connections.all()) if (isWithdrawn(connection.credential)) connection.close(REVOKED, 'revoked');
    streams.endWhere(isWithdrawn);
  };
  revocations.onRevoked(closeWithdrawn);
  context.tenants.onChange(({ kind }) => {
    if (kind !== 'platform') return;
    issuers.changed();
    closeWithdrawn();
  });

  return {
    module: GatewayModule,
    start: async () => {
      context.onShutdown('bus', 'watches', async () => {
        await Promise.all([revocations.stop(), epochs.stop(), reader.stop()]);
        inboxes.stop();
      });
      const [revocationBucket, epochBucket] = await Promise.all([bus.kv(BUCKETS.revocations), bus.kv(BUCKETS.vmEpoch)]);
      await Promise.all([revocations.start(revocationBucket), epochs.start(epochBucket)]);
      storedRequests.start(await bus.kv(BUCKETS.vmRequests));
      storedAnswers.start(await bus.kv(BUCKETS.vmRequests));
      storedTickets.start(await bus.kv(BUCKETS.tickets));
      const leases = await bus.kv(BUCKETS.nodes);
      nodeDirectory.start(await bus.kv(BUCKETS.presence), leases, nodes);
      await storedPresence.start(await bus.kv(BUCKETS.presence), leases);
      await peers.start(leases, { isWatched: (place) => watchers.isWatched(place), heard: (leaving) => watchedRuns.heard(leaving) });
      await reader.start(config.GATEWAY_REPLAY_EVENTS);

      const { app, server } = await createHttpApi(
        {
          ...services,
          authenticator,
          bearer,
          keptAnswers: new KeptAnswers(storedAnswers, () => clock.now(), log.child({ part: 'http' })),
          archive: reader,
          epochOf,
          bus,
          audit: auditWriter(bus, 'gateway', clock, log),
          streams,
          tickets,
          watchers,
          meshMap: new MeshMap(new BusSurvey(bus), () => clock.now()),
          seesDeployment: ({ tenant, proof }) => proof.kind === 'shared' || Object.keys(context.tenants.platform().tenants).every((other) => other === tenant),
        },
        {
          bodyLimitBytes: config.GATEWAY_BODY_LIMIT_BYTES,
          trustedProxies: config.GATEWAY_TRUSTED_PROXIES,
          logger: nestLogger(log.child({ part: 'http' })),
          edge: { allowedOrigins: config.GATEWAY_ALLOWED_ORIGINS, rates },
          plugins: { chain, timeoutMs: config.GATEWAY_PLUGIN_TIMEOUT_MS, bodyLimitBytes: config.GATEWAY_BODY_LIMIT_BYTES },
          console: config.CONSOLE_ENABLED ? { directory: config.CONSOLE_DIR } : undefined,
        },
        log.child({ part: 'http' }),
      );
      server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => route(request, socket, head, clients, vms));
      await app.listen(config.GATEWAY_PORT, config.GATEWAY_HOST).catch((error: unknown) => {
        throw listenFailure(error, config);
      });
      liveness.start();
      state.serving = true;

      context.onShutdown('sockets', 'sockets', async ({ signal, remainingMs }) => {
        state.draining = true;
        state.serving = false;
        watchedRuns.stop();
        const windowMs = Math.floor(Math.min(config.GATEWAY_SHUTDOWN_SPREAD_MS, remainingMs() * DRAIN_SHARE));
        await Promise.all([clients.drain(signal, windowMs), streams.drain(signal, windowMs, clock), vms.drain(signal, windowMs, clock)]);
        liveness.stop();
        await app.close();
        await plugins.close();
        keyFetch.close();
        // Not later: the bus is leaving then, and the lease would be waited for until it runs out.
        nodeDirectory.stop();
        await storedPresence.stop(AbortSignal.any([signal, AbortSignal.timeout(PRESENCE_STOP_MS)]));
        await peers.stop();
      });
      const { port } = server.address() as AddressInfo;
      const host = config.GATEWAY_HOST.includes(':') ? `[${config.GATEWAY_HOST}]` : config.GATEWAY_HOST;
      return { ws: `ws://${host}:${port}`, http: `http://${host}:${port}` };
    },
  };
}

/** Declaration of the service, for `main.ts` and for tests that run it in their own process. */
export const gatewayService: ServiceDefinition<typeof gatewayConfig> = {
  name: 'gateway',
  version: '0.1.0',
  config: gatewayConfig,
  logTail,
  needs: { streams: ['PLEXUS_EVT_SESSION', 'PLEXUS_IN'], buckets: [BUCKETS.vmEpoch, BUCKETS.vmRequests, BUCKETS.nodes, BUCKETS.presence, BUCKETS.tickets] },
  create: createGateway,
};

/** Why the public listener could not be opened, in words that say what to do. */
function listenFailure(cause: unknown, { GATEWAY_HOST: host, GATEWAY_PORT: port }: Context['config']): unknown {
  const { code } = cause as { readonly code?: unknown };
  const advice = `GATEWAY_PORT (${port}) and GATEWAY_HOST (${host})`;
  if (code === 'EADDRINUSE')
    return new Error(`PORT_TAKEN: another program listens on port ${port} of ${host}. Stop it, or set GATEWAY_PORT to a free port; 0 takes any.`, { cause });
  if (code === 'EACCES') return new Error(`PORT_FORBIDDEN: this user may not listen on port ${port}. Set GATEWAY_PORT to one above 1023.`, { cause });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new Error(`ADDRESS_UNKNOWN: ${host} is no address of this machine; look at ${advice}.`, { cause });
  return cause;
}

/** In the name of whoever started it: routing asks nobody else's permission, and a run that is over is left alone. */
async function cancelUnwatched(mesh: Mesh, { principal, owner, sessionKey, runId }: StartedRun): Promise<void> {
  const data = { sessionKey, runId, reason: 'client_gone', ...(owner === principal.user ? {} : { owner }) };
  await persist(() => mesh.call(routing.cancelRun, principal.tenant, data, { principal }), AbortSignal.timeout(CANCEL_LIMIT_MS));
}

/** Sends an upgrade to its protocol: VMs on `/ws/vm`, clients on every other path, as real gateways do. */
function route(request: IncomingMessage, socket: Duplex, head: Buffer, clients: ClientEndpoint, vms: VmEndpoint): void {
  let url: URL;
  try {
    url = new URL(request.url ?? '/', 'http://gateway');
  } catch {
    refuseUpgrade(socket, 400, 'Bad request target');
    return;
  }
  if (url.pathname === '/ws/vm') vms.upgrade(request, socket, head, url.searchParams);
  else clients.upgrade(request, socket, head);
}

function readProxies(entries: readonly string[]): ReturnType<typeof trustedProxies> {
  try {
    return trustedProxies(entries);
  } catch (error) {
    throw new ConfigurationError(`GATEWAY_TRUSTED_PROXIES: ${(error as Error).message}`, { cause: error });
  }
}

/** The shared token from its file or setting; production refuses a weak one. */
async function sharedToken(config: Context['config']): Promise<SharedToken | undefined> {
  const { GATEWAY_TOKEN_FILE: file, GATEWAY_TOKEN: direct, NODE_ENV: env } = config;
  if (file === undefined && direct === undefined) return undefined;
  const name = file === undefined ? 'GATEWAY_TOKEN' : 'GATEWAY_TOKEN_FILE';
  const value = file === undefined ? direct : await readToken(file);
  const token = requireStrongSecret(value, { name, minBytes: 16, env });
  return { token, tenant: config.GATEWAY_TOKEN_TENANT, user: config.GATEWAY_TOKEN_USER };
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new ConfigurationError(`GATEWAY_TOKEN_FILE=${JSON.stringify(file)} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
