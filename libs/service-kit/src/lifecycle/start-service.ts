import { type Bucket, type Bus, connectBus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import { AbortedError, type Clock, systemClock, timeout, ulid } from '@plexus/kernel';
import { counter, gauge, histogram, observe, shutdownTelemetry } from '@plexus/telemetry';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { auditServed } from '../audit.js';
import { readConfigHistory } from '../config-store/config-history.js';
import { type InternalListener, openInternalListener } from '../health/internal-listener.js';
import { Readiness } from '../health/readiness.js';
import { KeyDirectory } from '../identity/key-directory.js';
import { MeshIdentity } from '../identity/mesh-identity.js';
import { Revocations } from '../identity/revocations.js';
import { SigningKey } from '../identity/signing-key.js';
import { createLogger } from '../log/create-logger.js';
import { Reloading } from '../reload/reloading.js';
import type { ServiceConfig, ServiceContext, ServiceDefinition } from '../service-context.js';
import { WatchedTenantDirectory } from '../tenants/watched-tenant-directory.js';
import { natsTls, readCredentials } from './read-credentials.js';
import { type ShutdownReport, ShutdownSequence } from './shutdown-sequence.js';

/** A bucket of a few documents is read in milliseconds; a server that needs longer is not well. */
const LOADING_TIMEOUT_MS = 45_000;

export interface StartOptions<Schema extends z.ZodObject> {
  readonly config: Readonly<ServiceConfig<Schema>>;
  readonly clock?: Clock;
  /** Default: `<name>-<ulid>`. */
  readonly instanceId?: string;
  /** Default: JSON lines on stdout. */
  readonly log?: Logger;
  /** Aborting it gives up a start that is under way, and undoes it. */
  readonly signal?: AbortSignal;
  /** Ends this process in order so that it is started again; absent: a restart that the configuration asks for stays pending. */
  readonly leave?: (reason: string) => void;
}

/** A service that is up and ready. */
export interface RunningService<Schema extends z.ZodObject = z.ZodObject> {
  readonly context: ServiceContext<ServiceConfig<Schema>>;
  /** Base URL of the internal listener. */
  readonly internalUrl: string;
  /** What `start` of the service returned. */
  readonly extra: Record<string, unknown>;
  /** Reads and applies the whole configuration again. */
  reloadAll(): Promise<void>;
  /** Shuts down in order; later calls get the same report. Never rejects. */
  stop(reason: string): Promise<ShutdownReport>;
}

/**
 * Starts a service inside this process, without touching signals or exit codes: `runService` adds those. Resolves when the service is
 * ready. Rejects when a step fails, after everything that was already open has been closed again.
 */
export async function startService<Schema extends z.ZodObject>(
  definition: ServiceDefinition<Schema>,
  options: StartOptions<Schema>,
): Promise<RunningService<Schema>> {
  const { name, version = '0.1.0' } = definition;
  const { config, clock = systemClock, signal, instanceId = `${name}-${ulid(clock.now())}` } = options;
  const log = options.log ?? createLogger({ service: name, instanceId, level: config.LOG_LEVEL, tail: definition.logTail });
  const readiness = new Readiness(clock);
  const shutdown = new ShutdownSequence({
    clock,
    log,
    timeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    propagationDelayMs: config.PROPAGATION_DELAY_MS,
    notReady: () => readiness.draining(),
  });
  try {
    return await start();
  } catch (error) {
    await shutdown.run('the start failed', { wasReady: false });
    throw error;
  }

  async function start(): Promise<RunningService<Schema>> {
    const startedAt = clock.monotonic();
    const info = { name, version, instanceId, pid: process.pid, node: process.version, startedAt: new Date(clock.now()).toISOString() };
    const vitals: (() => Readonly<Record<string, number>>)[] = [];
    let reloading: Reloading | undefined;
    const listener = await openInternalListener({
      host: config.INTERNAL_HOST,
      port: config.INTERNAL_PORT,
      readiness,
      info: () => ({ ...info, uptimeMs: Math.round(clock.monotonic() - startedAt) }),
      config: () => reloading?.report(),
    });
    shutdown.add('telemetry', 'internal listener', () => listener.close());
    const stopObserving = observe('serviceReady', (report) => report(readiness.isReady ? 1 : 0));
    shutdown.add('telemetry', 'traces and metrics', () => {
      stopObserving();
      return shutdownTelemetry();
    });

    const { directory, ...mesh } = await joinMesh(listener);
    reloading = await startReloading(mesh.bus, directory);
    const reload = reloading;
    shutdown.add('listeners', 'configuration', () => reload.stop());
    readiness.degradedParts(() => reload.degraded());
    const context: ServiceContext<ServiceConfig<Schema>> = {
      name,
      version,
      instanceId,
      config,
      log,
      clock,
      ...mesh,
      reload,
      metrics: { counter, gauge, histogram, observe },
      onShutdown: (phase, label, fn) => shutdown.add(phase, label, fn),
      readiness: (check, fn) => readiness.add(check, fn),
      vitals: (numbers) => vitals.push(numbers),
    };
    if (definition.shutdown !== undefined) shutdown.add('listeners', 'service', (budget) => definition.shutdown?.(context, budget));

    const parts = await definition.create(context);
    throwIfAborted();
    // Loaded late: a service whose settings are wrong should say so at once, not after half a second of framework.
    const { createNestApplication } = await import('./nest-application.js');
    const app = await createNestApplication(parts, context as ServiceContext<never>);
    shutdown.add('consumers', 'handlers', () => app.close());
    await app.listen();
    throwIfAborted();
    const data = () => shownOf(readiness, vitals);
    const discovery = context.bus.registerDiscovery({ version, metadata: { instance: instanceId, info: listener.url }, data });
    shutdown.add('listeners', 'discovery', () => discovery.stop());
    const extra = (await parts.start?.(app)) ?? {};
    throwIfAborted();

    readiness.started();
    await readiness.evaluate();
    reload.changed();
    log.info({ internalUrl: listener.url, version, startMs: Math.round(clock.monotonic() - startedAt), ...extra }, 'ready');
    return { context, internalUrl: listener.url, extra, reloadAll: () => reload.reloadAll(), stop: (reason) => shutdown.run(reason) };
  }

  /** From here on changes of the configuration come into force through the reload. */
  async function startReloading(bus: Bus, directory: WatchedTenantDirectory): Promise<Reloading> {
    const [leases, status] = await Promise.all([bus.kv(BUCKETS.leases), bus.kv(BUCKETS.configStatus)]);
    const started = new Reloading({
      service: name,
      instanceId,
      tenants: directory,
      leases,
      status,
      clock,
      log: log.child({ part: 'reload' }),
      skipModules: config.PLEXUS_SKIP_MODULES ?? [],
      isReady: () => readiness.isReady,
      leave: options.leave,
    });
    await timeout(started.start(), LOADING_TIMEOUT_MS, { clock, signal, what: 'report of the configuration' });
    return started;
  }

  /** Connects, and checks that what the service needs is there before anything relies on it. */
  async function joinMesh(
    listener: InternalListener,
  ): Promise<Pick<ServiceContext, 'bus' | 'identity' | 'tenants'> & { readonly directory: WatchedTenantDirectory }> {
    log.debug({ internalUrl: listener.url, nats: config.NATS_URL }, 'connecting');
    const tenants = new WatchedTenantDirectory(log.child({ part: 'configuration' }), clock);
    shutdown.add('listeners', 'tenant directory', () => tenants.stop());
    let identity: MeshIdentity | undefined;
    const ready = (): MeshIdentity => {
      if (identity === undefined) throw new TypeError('calls are served only once the identity exists');
      return identity;
    };
    const bus = await connect({
      mint: (principal) => ready().forBus.mint(principal),
      verify: (token) => ready().forBus.verify(token),
    });
    readiness.add('nats', () => bus.isConnected() || 'not connected to NATS');

    const kitBuckets = [BUCKETS.config, BUCKETS.configParts, BUCKETS.configStatus, BUCKETS.keys, BUCKETS.leases, BUCKETS.revocations];
    const ownBuckets = definition.needs.buckets ?? [];
    await bus.checkPlan({ ...definition.needs, buckets: [...new Set([...kitBuckets, ...ownBuckets])] });
    throwIfAborted();

    const buckets = [BUCKETS.config, BUCKETS.configParts, BUCKETS.keys, BUCKETS.revocations].map((bucket) => bus.kv(bucket));
    const [configBucket, partsBucket, keyBucket, revocationBucket] = (await Promise.all(buckets)) as [Bucket, Bucket, Bucket, Bucket];
    const revocations = new Revocations();
    const loading = Promise.all([
      SigningKey.publish(name, instanceId, keyBucket, clock, log),
      tenants.start(configBucket, partsBucket, (key) => readConfigHistory(bus, key, clock)),
      revocations.start(revocationBucket),
    ]);
    const [key] = await timeout(loading, LOADING_TIMEOUT_MS, { clock, signal, what: 'reading of configuration and revocations' });
    identity = new MeshIdentity({ service: name, key, keys: new KeyDirectory(keyBucket, clock), revocations, tenants, clock });
    const stopIdentity = identity;
    shutdown.add('bus', 'identity', async () => {
      key.stop();
      stopIdentity.stop();
    });
    void republishAfterReconnects(bus, key);
    return { bus, identity, tenants, directory: tenants };

    async function connect(busIdentity: MeshIdentity['forBus']): Promise<Bus> {
      const connecting = connectBus({
        service: name,
        servers: config.NATS_URL.split(','),
        credentials: readCredentials(config),
        tls: natsTls(config),
        log: log.child({ part: 'bus' }),
        identity: busIdentity,
        tenantExists: (tenant) => tenants.has(tenant),
      });
      const connected = await abandonable(connecting, (late) => late.close());
      shutdown.add('bus', 'connection', () => connected.drain());
      auditServed(connected, name, clock, log.child({ part: 'audit' }));
      return connected;
    }
  }

  function throwIfAborted(): void {
    if (signal?.aborted) throw AbortedError.from(signal);
  }

  /** Waits for something that cannot be cancelled; when we no longer want it, it is disposed of as soon as it comes. */
  async function abandonable<T>(promise: Promise<T>, dispose: (late: T) => Promise<void>): Promise<T> {
    let give: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      give = () => reject(AbortedError.from(signal));
    });
    signal?.addEventListener('abort', give as () => void, { once: true });
    try {
      throwIfAborted();
      return await Promise.race([promise, aborted]);
    } catch (error) {
      if (signal?.aborted) promise.then(dispose).catch((failure: unknown) => log.debug({ error: failure }, 'an abandoned connection failed'));
      throw error;
    } finally {
      signal?.removeEventListener('abort', give as () => void);
    }
  }
}

/** What a replica says of itself to whoever looks at the mesh: how it was at its last check. The next one is begun, so that whoever looks again sees what is true now. */
function shownOf(readiness: Readiness, vitals: readonly (() => Readonly<Record<string, number>>)[]): Record<string, unknown> {
  const { ready, checks, degraded } = readiness.last;
  void readiness.evaluate();
  const failing = checks.filter(({ ok }) => !ok).map(({ name, reason = 'not ready' }) => ({ name, reason }));
  const numbers = Object.assign({ rssBytes: process.memoryUsage.rss() }, ...vitals.map((numbersOf) => numbersOf()));
  return { ready, ...(failing.length > 0 && { failing }), ...(degraded !== undefined && { degraded }), vitals: numbers };
}

/** A server that restarted may have lost its buckets; whoever calls us next must be able to check our tokens. */
async function republishAfterReconnects(bus: Bus, key: SigningKey): Promise<void> {
  for await (const status of bus.connection.status()) if (status.type === 'reconnect') await key.republish();
}
