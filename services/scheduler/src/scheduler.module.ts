import os from 'node:os';
import { type DynamicModule, Module } from '@nestjs/common';
import { PERFORMED, type TenantConfig } from '@plexus/agent-config';
import { plexusError, routingContracts, vmContracts } from '@plexus/contracts';
import { createPool, migrationsFolderOf, OutboxRelay, requireMigrations } from '@plexus/database';
import { ConfigurationError, ulid } from '@plexus/kernel';
import { type ServiceConfig, type ServiceContext, type ServiceParts, sealingKeys, type TenantSecretSources } from '@plexus/service-kit';
import { counter, gauge, histogram } from '@plexus/telemetry';
import { configuredValues } from './adapters/configured-values.js';
import { builtInFolder, readBuiltInSkills } from './adapters/built-in-skills.js';
import { sdkConnector } from './adapters/mcp/sdk-client.js';
import { JoseVmTokens } from './adapters/jose-vm-tokens.js';
import { externalVms } from './adapters/external/external-vms.js';
import { BusEvents } from './adapters/nats/bus-events.js';
import { BusHints } from './adapters/nats/bus-hints.js';
import { BusSessionLog } from './adapters/nats/bus-session-log.js';
import { ConnectionsController } from './adapters/nats/connections.controller.js';
import { ErasureController } from './adapters/nats/erasure.controller.js';
import { McpController } from './adapters/nats/mcp.controller.js';
import { KvEpochCache } from './adapters/nats/kv-epoch-cache.js';
import { KvSkillPackages } from './adapters/nats/kv-skill-packages.js';
import { RunsController } from './adapters/nats/runs.controller.js';
import { SecretsController } from './adapters/nats/secrets.controller.js';
import { SessionChangesController } from './adapters/nats/session-changes.controller.js';
import { SkillsController } from './adapters/nats/skills.controller.js';
import { VmsController } from './adapters/nats/vms.controller.js';
import { PersonEraser } from './adapters/postgres/person-eraser.js';
import { PostgresEpochSequence } from './adapters/postgres/epoch-sequence.js';
import { PostgresHosts } from './adapters/postgres/host-rows.js';
import type { MakeVmParts } from './adapters/postgres/make-vm.js';
import { PostgresAdmissionStore } from './adapters/postgres/postgres-admission-store.js';
import { PostgresConfigUpdates } from './adapters/postgres/postgres-config-updates.js';
import { PostgresConnectionStore } from './adapters/postgres/postgres-connection-store.js';
import { PostgresInboxStore } from './adapters/postgres/postgres-inbox-store.js';
import { PostgresJobs } from './adapters/postgres/postgres-jobs.js';
import { PostgresOwnerStore } from './adapters/postgres/postgres-owner-store.js';
import { PostgresRunStore } from './adapters/postgres/postgres-run-store.js';
import { PostgresSecrets } from './adapters/postgres/postgres-secrets.js';
import { PostgresSkills } from './adapters/postgres/postgres-skills.js';
import { declareTemplates } from './adapters/postgres/postgres-templates.js';
import { PostgresVmStore } from './adapters/postgres/postgres-vm-store.js';
import { PrismaVmCatalogue } from './adapters/postgres/prisma-vm-catalogue.js';
import { modelProviders } from './adapters/model-providers.js';
import { openProviders } from './adapters/providers.js';
import { limitsOf, sandboxes } from './adapters/sandbox-settings.js';
import { SecretBox } from './adapters/secret-box.js';
import { Admission, bootstrapSecretOf } from './application/admission.js';
import { ApiKeys } from './application/api-keys.js';
import { AttachExternal } from './application/attach-external.js';
import { ChangeSignal } from './application/change-signal.js';
import { ConfigUpdates } from './application/config-updates.js';
import { Connections } from './application/connections.js';
import { EnsureVm } from './application/ensure-vm.js';
import { guardEpochs } from './application/epoch-guard.js';
import { HandOver } from './application/hand-over.js';
import { ManageVms } from './application/manage-vms.js';
import { ModelEndpoints } from './application/model-endpoints.js';
import type { OwnerKey } from './application/ports.js';
import type { ProviderRegistry } from './application/provider-port.js';
import { Reconciler } from './application/reconciler.js';
import { RemoteMcp } from './application/remote-mcp.js';
import { RunCommands } from './application/run-commands.js';
import { RunWatch } from './application/run-watch.js';
import { ScanLoop } from './application/scan-loop.js';
import { SessionSettings } from './application/session-settings.js';
import { Skills } from './application/skills.js';
import { ownSecretFiles, type schedulerConfig, secretVariables } from './config.js';
import { fencingProblem, LOCAL_POLICY, type VmPolicy } from './domain/policy.js';
import { loadMasterKeys, loadVmSecrets } from './secrets.js';
import { loadTemplates } from './templates.js';
import { sessionAgents } from './adapters/postgres/session-agents.js';
import { HINTS, RUN_STORE, SANDBOXES, SECRETS, SESSION_AGENTS } from './tokens.js';

@Module({
  controllers: [
    VmsController,
    SecretsController,
    SkillsController,
    McpController,
    ConnectionsController,
    RunsController,
    SessionChangesController,
    ErasureController,
  ],
})
class SchedulerModule {}

type Config = ServiceConfig<typeof schedulerConfig>;

const transitions = counter('vmTransitions');
const vmsByState = gauge('vms');
const ensureSeconds = histogram('vmEnsureSeconds');
const provisionFailures = counter('vmProvisionFailures');
const fencedMessages = counter('vmFencedMessages');
const orphansReaped = counter('vmOrphansReaped');
const poolReady = gauge('vmPoolReady');
const poolDesired = gauge('vmPoolDesired');
const poolHits = counter('vmPoolHits');
const quotaDenied = counter('vmQuotaDenied');
const leaseAge = gauge('vmLeaseAge');

/** Wires the scheduler: stores on one pool, the providers, the loop that moves VMs, and the outbox relay beside it. */
export async function createScheduler(context: ServiceContext<Config>): Promise<ServiceParts> {
  const { config, log, bus, clock, tenants } = context;
  const policy = policyOf(config);
  const declared = loadTemplates(config.VM_TEMPLATES_FILE, config.PROVIDER);
  const secrets = loadVmSecrets(config);
  if (secrets.isEphemeral) log.warn('no VM_TOKEN_SECRET: VM tokens are signed with a secret of this process only; VMs that outlive it cannot reconnect');

  const database = createPool({
    url: config.DATABASE_URL,
    schema: config.SCHEDULER_DATABASE_SCHEMA,
    applicationName: context.instanceId,
    max: config.SCHEDULER_DATABASE_CONNECTIONS,
    log,
  });
  const catalogue = new PrismaVmCatalogue(database.pool, database.schema);
  context.onShutdown('database', 'pool', async () => {
    await catalogue.close();
    await database.close();
  });
  const epochs = new KvEpochCache(bus);
  // Providers are opened first: what they refuse is said before anything is connected to.
  const providers = await openProviders({ config, database, epochs, log });
  context.onShutdown('consumers', 'providers', () => providers.close());
  await requireMigrations(database, migrationsFolderOf(import.meta.url));
  context.readiness('database', () => database.ping().then(() => true));
  const { floor, raised } = await guardEpochs(providers, epochs, new PostgresEpochSequence(database));
  if (raised) log.warn({ floor }, 'the database gave out epochs that are in use elsewhere (was it restored?): it goes on above them');
  await declareTemplates(database, declared);

  const masterKeys = loadMasterKeys(config);
  const providerSecrets = masterKeys === undefined ? undefined : new PostgresSecrets(database, new SecretBox(masterKeys.current, masterKeys.previous));
  const { resealed, unreadable } = (await providerSecrets?.reseal()) ?? { resealed: 0, unreadable: 0 };
  if (unreadable > 0) log.error({ unreadable }, 'provider keys were sealed with a master key that is not here: their users have to store them again');
  if (resealed > 0) log.info({ resealed }, 'provider keys were sealed with the new master key');

  const sealing = sealingKeys(masterKeys);
  if (sealing === 'unusable') log.warn('the master key is not 32 bytes in base64 or hex: sealed keys of model providers cannot be opened');

  const replica = context.instanceId;
  const newVmId = (): string => `vm-${ulid()}`;
  const changes = new ChangeSignal();
  const noticed = (vmId: string): void => {
    changes.notify(vmId);
    loop.kick();
  };
  const onTransition = (from: string, to: string, cause: string): void => transitions.add(1, { from, to, cause });
  const hints = new BusHints(bus, noticed, log);
  const events = new BusEvents(bus);
  const making: MakeVmParts = {
    events,
    replica,
    quota: (tenant) => tenants.platform().tenants[tenant]?.limits.vms ?? config.VM_MAX_PER_TENANT,
    defaultProvider: providers.default.name,
    limitsOf: (tenant, agentId) => limitsOf(tenants.get(tenant), agentId),
  };
  const store = new PostgresVmStore({ database, events, replica, hostIds: providers.all.map(({ hostId }) => hostId), policy });
  const owners = new PostgresOwnerStore(database, making, policy.idleMs);
  const runs = new PostgresRunStore(database, events, making);
  const hosts = new PostgresHosts(database);
  const sessionLog = new BusSessionLog(bus);
  const configUpdates = new ConfigUpdates(new PostgresConfigUpdates(database), hints);
  const skills = new Skills({
    store: new PostgresSkills(database),
    packages: new KvSkillPackages(bus),
    builtIns: readBuiltInSkills(builtInFolder(import.meta.url)),
    maxVersionsPerTenant: config.SKILLS_MAX_PER_TENANT,
    onChange: (tenant) => {
      configUpdates.skillsChanged(tenant).catch((error: unknown) => log.error({ err: error, tenant }, 'running sessions could not be told of changed skills'));
    },
  });
  const tokens = new JoseVmTokens(secrets.current, secrets.previous);
  const admission = new Admission(new PostgresAdmissionStore(database, replica), tokens, {
    // As long as the slowest provider may take until the runtime connects.
    ticketTtlMs: Math.max(policy.provisionMs + policy.bootMs, ...providers.all.map(({ deadlines }) => deadlines.provisionMs + deadlines.bootMs)),
    tokenTtlMs: config.VM_TOKEN_TTL_MS,
    rootSecret: secrets.current,
    modelApiKey: config.PLEXUS_MODEL_API_KEY,
    secrets: providerSecrets,
  });
  const configOf = (tenant: string): TenantConfig | undefined => tenants.get(tenant);
  const secretSources = secretSourcesOf(config, sealing);
  const bootstrapSecrets = (key: { readonly vmId: string; readonly epoch: number }): string[] =>
    [secrets.current, secrets.previous].filter((secret) => secret !== undefined).map((secret) => bootstrapSecretOf(secret, key));
  const remoteMcp = new RemoteMcp({
    configOf,
    resolveValues: configuredValues(configOf, secretSources),
    connect: sdkConnector({
      allowPrivate: config.MCP_ALLOW_PRIVATE_ADDRESSES,
      maxResultBytes: config.MCP_MAX_RESULT_BYTES,
      maxSockets: config.MCP_MAX_CALLS_PER_SERVER,
    }),
    clock,
    maxConnectionsPerTenant: config.MCP_MAX_CONNECTIONS_PER_TENANT,
    maxCallsPerServer: config.MCP_MAX_CALLS_PER_SERVER,
    idleMs: config.MCP_IDLE_MS,
  });
  context.onShutdown('consumers', 'remote MCP servers', () => remoteMcp.close());
  const connections = new Connections(new PostgresConnectionStore(database, events, replica, policy.leaseMs), new PostgresInboxStore(database, events), hints, {
    leaseMs: policy.leaseMs,
    model: { baseUrl: config.PLEXUS_MODEL_BASE_URL, model: config.PLEXUS_MODEL },
    admission,
    endpoints: new ModelEndpoints(modelProviders(configOf, secretSources), bootstrapSecrets),
    apiKeys: new ApiKeys({
      secrets: providerSecrets,
      bootstrapSecrets,
      onUnreadable: (name, error) => log.warn({ err: error, name }, 'a provider key of the owner of a VM cannot be read and is left out'),
    }),
    settings: new SessionSettings({
      configOf,
      skillsOf: (tenant) => skills.list(tenant),
      resolveValues: configuredValues(configOf, secretSources),
      bootstrapSecrets,
    }),
    isExternal: (name) => providers.all.some((provider) => provider.name === name && provider.kind === 'external'),
    onTransition,
    onFenced: () => fencedMessages.add(1),
  });
  const reconciler = new Reconciler({
    store,
    providers,
    admission,
    handOver: new HandOver(runs, sessionLog, hints),
    epochs,
    hints,
    policy,
    replica,
    clock,
    log,
    random: Math.random,
    strategy: config.VM_PLACEMENT,
    onTransition,
    onStartFailed: (provider, reason) => provisionFailures.add(1, { provider, reason }),
  });
  const beatHosts = hostBeats(hosts, providers, replica, config.VM_HOST_CAPACITY);
  const loop = new ScanLoop({
    store,
    providers,
    reconciler,
    jobs: new PostgresJobs(database, replica, providers.default.name),
    runs: new RunWatch(runs, sessionLog, newVmId),
    hints,
    newVmId,
    beatHosts,
    workspaceRetentionMs: config.VM_WORKSPACE_RETENTION_MS,
    clock,
    log,
    isConnected: () => bus.isConnected(),
    onCounts: (counts, oldestBeatMs) => {
      for (const state of vmContracts.VmState.options) vmsByState.record(counts.get(state) ?? 0, { state });
      leaseAge.record(oldestBeatMs / 1_000);
    },
    onTransition,
    onPools: ({ ready, desired }) => {
      poolReady.record(ready);
      poolDesired.record(desired);
    },
    onReaped: (reason) => orphansReaped.add(1, { reason }),
  });
  const relay = new OutboxRelay({ database, publish: (subject, body, options) => bus.publishRaw(subject, body, options), log });
  const eraser = new PersonEraser(
    database,
    (tenant, erasureId, user, counts) => {
      const data = { erasureId, user, service: 'scheduler', counts: { ...counts }, at: new Date(clock.now()).toISOString() };
      const id = `erased:scheduler:${erasureId}`;
      const { msgId = id, ...event } = bus.encodeEvent(routingContracts.userErased, { tenant, key: [erasureId], data, id, time: data.at });
      return { ...event, msgId };
    },
    (tenant, vmIds) => {
      relay.kick();
      for (const vmId of vmIds) hints.wake(tenant, vmId);
    },
  );
  const ensureVm = new EnsureVm(owners, changes, hints, clock, newVmId, {
    ready: (path, seconds) => ensureSeconds.record(seconds, { path }),
    quotaDenied: () => quotaDenied.add(1),
    claimed: () => {
      poolHits.add(1);
      loop.refillPools();
    },
  });
  const attaching = new AttachExternal(
    externalVms({
      database,
      tokens,
      rootSecret: secrets.current,
      attachMs: config.EXTERNAL_ATTACH_MS,
      tokenTtlMs: policy.maxLifeMs * 2,
      ensure: (owner, template) => ensureExternal(ensureVm, declared, providers, owner, template),
    }),
    changes,
    clock,
    { ws: config.EXTERNAL_CONTROL_PLANE_WS ?? config.CONTROL_PLANE_WS, attachMs: config.EXTERNAL_ATTACH_MS },
  );

  const module: DynamicModule = {
    module: SchedulerModule,
    providers: [
      { provide: EnsureVm, useValue: ensureVm },
      { provide: ManageVms, useValue: new ManageVms(catalogue, owners, store, providers, hints, policy) },
      { provide: AttachExternal, useValue: attaching },
      { provide: PostgresHosts, useValue: hosts },
      { provide: Admission, useValue: admission },
      { provide: PersonEraser, useValue: eraser },
      { provide: Connections, useValue: connections },
      { provide: RunCommands, useValue: new RunCommands(runs, hints, newVmId) },
      { provide: Skills, useValue: skills },
      { provide: RemoteMcp, useValue: remoteMcp },
      { provide: SESSION_AGENTS, useValue: sessionAgents(database) },
      { provide: RUN_STORE, useValue: runs },
      { provide: HINTS, useValue: hints },
      { provide: SECRETS, useValue: providerSecrets ?? null },
      { provide: SANDBOXES, useValue: sandboxes((tenant) => tenants.get(tenant)) },
    ],
  };
  return {
    module,
    start: async () => {
      relay.start();
      await beatHosts();
      const listening = bus.listenLive(vmContracts.vmWake, {}, (_data, { key: [vmId] }) => {
        if (vmId !== undefined) noticed(vmId);
      });
      loop.start();
      await context.reload.onConfig(PERFORMED['vm-config'].prefixes, 'vm-config', (change) => configUpdates.apply(change));
      context.onShutdown('consumers', 'scan loop', async () => {
        listening.stop();
        await loop.stop();
        if (config.PLEXUS_EMBEDDED) await loop.parkAll();
        await relay.stop();
      });
    },
  };
}

/** Where references of tenants are resolved from. */
function secretSourcesOf(config: Config, sealing: ReturnType<typeof sealingKeys>): TenantSecretSources {
  return {
    env: secretVariables(),
    folders: config.MODEL_SECRET_FOLDERS.split(',')
      .map((folder) => folder.trim())
      .filter((folder) => folder !== ''),
    forbidden: ownSecretFiles(config),
    masterKeys: sealing === 'unusable' ? undefined : sealing,
  };
}

function policyOf(config: Config): VmPolicy {
  const policy: VmPolicy = {
    ...LOCAL_POLICY,
    provisionMs: config.VM_PROVISION_MS,
    bootMs: config.VM_BOOT_MS,
    leaseMs: config.VM_LEASE_MS,
    suspectMs: config.VM_SUSPECT_MS,
    drainMs: config.VM_DRAIN_MS,
    pauseMs: config.VM_PAUSE_MS,
    idleMs: config.VM_IDLE_MS,
    retentionMs: config.VM_RETENTION_MS,
    maxLifeMs: config.VM_MAX_LIFE_MS,
  };
  const problem = fencingProblem(policy);
  if (problem !== undefined && !config.ALLOW_WEAK_FENCING) throw new ConfigurationError(`VM_LEASE_MS and VM_SUSPECT_MS are too short: ${problem}`);
  return policy;
}

/** Says for each host of this process that it can act there, and how busy the machine is. */
function hostBeats(hosts: PostgresHosts, providers: ProviderRegistry, holder: string, capacity: number | undefined): () => Promise<void> {
  const cores = os.availableParallelism();
  return async () => {
    for (const { name, kind, hostId, capabilities } of providers.all) {
      const isMachine = kind === 'local' || kind === 'docker';
      const used = isMachine ? Math.min(1, (os.loadavg()[0] ?? 0) / cores) : 0;
      await hosts.beat({ hostId, provider: name, capacity, cores, used, isolation: capabilities.isolation, labels: {}, portable: !isMachine, holder });
    }
  };
}

/** The VM that somebody else's runtime will be: of the named template, or of the one that belongs to the external provider. */
async function ensureExternal(
  ensureVm: EnsureVm,
  { templates }: ReturnType<typeof loadTemplates>,
  providers: ProviderRegistry,
  owner: OwnerKey,
  name: string | undefined,
): Promise<{ readonly vmId: string }> {
  const isExternal = (provider: string | undefined): boolean => (provider === undefined ? providers.default.kind : provider) === 'external';
  const template = templates.find((candidate) => (name === undefined ? isExternal(candidate.provider) : candidate.name === name));
  if (template === undefined || !isExternal(template.provider)) {
    throw plexusError('INVALID_REQUEST', {
      message: name === undefined ? 'No template of the external provider is declared.' : `${JSON.stringify(name)} is no template of the external provider.`,
    });
  }
  const wish = { template: template.name, source: 'attach' };
  return ensureVm.execute({ owner, wish, wait: 'none', waitMs: 0, signal: AbortSignal.timeout(10_000) });
}
