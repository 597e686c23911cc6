import path from 'node:path';
import { type DynamicModule, Module } from '@nestjs/common';
import { vmContracts } from '@plexus/contracts';
import { createPool, migrationsFolderOf, OutboxRelay, requireMigrations } from '@plexus/database';
import { ConfigurationError, ulid } from '@plexus/kernel';
import type { ServiceConfig, ServiceContext, ServiceParts } from '@plexus/service-kit';
import { counter, gauge, histogram } from '@plexus/telemetry';
import { JoseVmTokens } from './adapters/jose-vm-tokens.js';
import { LocalProvider } from './adapters/local/local-provider.js';
import { hostIdOf } from './adapters/local/vm-folder.js';
import { BusEvents } from './adapters/nats/bus-events.js';
import { BusHints } from './adapters/nats/bus-hints.js';
import { BusSessionLog } from './adapters/nats/bus-session-log.js';
import { ConnectionsController } from './adapters/nats/connections.controller.js';
import { KvEpochCache } from './adapters/nats/kv-epoch-cache.js';
import { RunsController } from './adapters/nats/runs.controller.js';
import { VmsController } from './adapters/nats/vms.controller.js';
import { PostgresAdmissionStore } from './adapters/postgres/postgres-admission-store.js';
import { PostgresConnectionStore } from './adapters/postgres/postgres-connection-store.js';
import { PostgresInboxStore } from './adapters/postgres/postgres-inbox-store.js';
import { PostgresOwnerStore } from './adapters/postgres/postgres-owner-store.js';
import { PostgresRunStore } from './adapters/postgres/postgres-run-store.js';
import { PostgresVmStore } from './adapters/postgres/postgres-vm-store.js';
import { PrismaVmCatalogue } from './adapters/postgres/prisma-vm-catalogue.js';
import { Admission } from './application/admission.js';
import { ChangeSignal } from './application/change-signal.js';
import { Connections } from './application/connections.js';
import { EnsureVm } from './application/ensure-vm.js';
import { HandOver } from './application/hand-over.js';
import { ManageVms } from './application/manage-vms.js';
import { Reconciler } from './application/reconciler.js';
import { RunCommands } from './application/run-commands.js';
import { RunWatch } from './application/run-watch.js';
import { ScanLoop } from './application/scan-loop.js';
import { runtimeEnvironment, type schedulerConfig } from './config.js';
import { fencingProblem, LOCAL_POLICY, type VmPolicy } from './domain/policy.js';
import { loadVmSecrets } from './secrets.js';
import { RUN_STORE } from './tokens.js';

@Module({ controllers: [VmsController, ConnectionsController, RunsController] })
class SchedulerModule {}

type Config = ServiceConfig<typeof schedulerConfig>;

const transitions = counter('vmTransitions');
const vmsByState = gauge('vms');
const ensureSeconds = histogram('vmEnsureSeconds');

/** Wires the scheduler: stores on one pool, the local provider, the loop that moves VMs, and the outbox relay beside it. */
export async function createScheduler(context: ServiceContext<Config>): Promise<ServiceParts> {
  const { config, log, bus, clock } = context;
  const policy = policyOf(config);
  const root = vmRootOf(config);
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
  await requireMigrations(database, migrationsFolderOf(import.meta.url));
  context.readiness('database', () => database.ping().then(() => true));

  const replica = context.instanceId;
  const hostId = hostIdOf(root);
  const newVmId = (): string => `vm-${ulid()}`;
  const changes = new ChangeSignal();
  const noticed = (vmId: string): void => {
    changes.notify(vmId);
    loop.kick();
  };
  const onTransition = (from: string, to: string): void => transitions.add(1, { from, to });
  const hints = new BusHints(bus, noticed, log);
  const events = new BusEvents(bus);
  const provider = new LocalProvider({
    root,
    runtimeEntry: config.RUNTIME_ENTRY,
    cluster: config.PLEXUS_CLUSTER ?? hostId,
    controlPlaneUrl: config.CONTROL_PLANE_WS,
    environment: runtimeEnvironment(config),
    log,
  });
  const store = new PostgresVmStore({ database, events, replica, hostId, provider: provider.name, policy });
  const owners = new PostgresOwnerStore(database);
  const runs = new PostgresRunStore(database, events);
  const sessionLog = new BusSessionLog(bus);
  // Every VM token must outlive its incarnation, which may pass its maximum life while a run goes on.
  const tokens = new JoseVmTokens(secrets.current, policy.maxLifeMs * 2, secrets.previous);
  const admission = new Admission(new PostgresAdmissionStore(database, replica), tokens, {
    ticketTtlMs: policy.provisionMs + policy.bootMs,
    rootSecret: secrets.current,
    modelApiKey: config.PLEXUS_MODEL_API_KEY,
  });
  const connections = new Connections(new PostgresConnectionStore(database, events, replica, policy.leaseMs), new PostgresInboxStore(database, events), hints, {
    leaseMs: policy.leaseMs,
    model: { baseUrl: config.PLEXUS_MODEL_BASE_URL, model: config.PLEXUS_MODEL },
    onTransition,
  });
  const reconciler = new Reconciler({
    store,
    provider,
    admission,
    handOver: new HandOver(runs, sessionLog, hints),
    epochs: new KvEpochCache(bus),
    hints,
    policy,
    replica,
    clock,
    log,
    random: Math.random,
    onTransition,
  });
  const loop = new ScanLoop({
    store,
    provider,
    reconciler,
    runs: new RunWatch(runs, sessionLog, newVmId),
    clock,
    log,
    isConnected: () => bus.isConnected(),
    onCounts: (counts) => {
      for (const state of vmContracts.VmState.options) vmsByState.record(counts.get(state) ?? 0, { state });
    },
  });
  const relay = new OutboxRelay({ database, publish: (subject, body, options) => bus.publishRaw(subject, body, options), log });
  const ensureVm = new EnsureVm(owners, changes, hints, clock, newVmId, (path_, seconds) => ensureSeconds.record(seconds, { path: path_ }));

  const module: DynamicModule = {
    module: SchedulerModule,
    providers: [
      { provide: EnsureVm, useValue: ensureVm },
      { provide: ManageVms, useValue: new ManageVms(catalogue, owners, hints) },
      { provide: Admission, useValue: admission },
      { provide: Connections, useValue: connections },
      { provide: RunCommands, useValue: new RunCommands(runs, hints, newVmId) },
      { provide: RUN_STORE, useValue: runs },
    ],
  };
  return {
    module,
    start: async () => {
      relay.start();
      const listening = bus.listenLive(vmContracts.vmWake, {}, (_data, { key: [vmId] }) => {
        if (vmId !== undefined) noticed(vmId);
      });
      loop.start();
      context.onShutdown('consumers', 'scan loop', async () => {
        listening.stop();
        await loop.stop();
        if (config.PLEXUS_EMBEDDED) await loop.parkAll();
        await relay.stop();
      });
    },
  };
}

function policyOf(config: Config): VmPolicy {
  const policy: VmPolicy = {
    ...LOCAL_POLICY,
    provisionMs: config.VM_PROVISION_MS,
    bootMs: config.VM_BOOT_MS,
    leaseMs: config.VM_LEASE_MS,
    suspectMs: config.VM_SUSPECT_MS,
    idleMs: config.VM_IDLE_MS,
    retentionMs: config.VM_RETENTION_MS,
    maxLifeMs: config.VM_MAX_LIFE_MS,
  };
  const problem = fencingProblem(policy);
  if (problem !== undefined && !config.ALLOW_WEAK_FENCING) throw new ConfigurationError(`VM_LEASE_MS and VM_SUSPECT_MS are too short: ${problem}`);
  return policy;
}

/** Where the local provider keeps its VMs; refuses where it must not be used. */
function vmRootOf(config: Config): string {
  if (config.NODE_ENV === 'production' && !config.ALLOW_UNSANDBOXED_LOCAL) {
    throw new ConfigurationError(
      'the local provider runs VMs as plain processes of this machine, without any isolation: production refuses it unless ALLOW_UNSANDBOXED_LOCAL=1',
    );
  }
  if (config.PLEXUS_STATE_DIR === undefined) throw new ConfigurationError('PLEXUS_STATE_DIR is not set: the local provider keeps workspaces there');
  return path.resolve(config.PLEXUS_STATE_DIR, 'vms');
}
