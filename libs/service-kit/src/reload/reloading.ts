import type { Bucket } from '@plexus/bus';
import type { Clock } from '@plexus/kernel';
import type { Logger } from 'pino';
import type { WatchedTenantDirectory } from '../tenants/watched-tenant-directory.js';
import { ConfigReload } from './config-reload.js';
import type { ApplyConfig } from './reload-owner.js';
import { RestartTurn } from './restart-turn.js';
import { MAX_REPORTED_TENANTS, type ReplicaReport, StatusReporter } from './status-reporter.js';

/** What a service may do with changes of the configuration. */
export interface Reload {
  /**
   * Registers a part that runs with sections of a tenant's configuration, for example `['channels.slack']`. `apply` gets each change below
   * them, one at a time per tenant; one that throws keeps its old version, shows as degraded, and is tried again with growing pauses.
   * `initial`: calls it now as well, for every tenant that has a document.
   */
  onConfig(prefixes: readonly string[], label: string, apply: ApplyConfig, options?: { readonly initial?: boolean }): Promise<void>;
  /** Registers work that a planned restart should not interrupt: it waits until the counts are 0, at most 5 minutes. */
  operations(count: () => number): void;
  /** Everything again, as SIGUSR1 does. */
  reloadAll(): Promise<void>;
}

export interface ReloadingOptions {
  readonly service: string;
  readonly instanceId: string;
  readonly tenants: WatchedTenantDirectory;
  readonly leases: Bucket;
  readonly status: Bucket;
  readonly clock: Clock;
  readonly log: Logger;
  readonly skipModules: readonly string[];
  readonly isReady: () => boolean;
  /** Absent: this process cannot be restarted from within; what needs it stays pending. */
  readonly leave?: ((reason: string) => void) | undefined;
}

/** Puts reload, staggered restart and reporting of one process together. */
export class Reloading implements Reload {
  readonly reload: ConfigReload;
  private readonly restart: RestartTurn;
  private readonly reporter: StatusReporter;
  private readonly counts: (() => number)[] = [];
  private readonly startedAt: string;

  constructor(private readonly options: ReloadingOptions) {
    const { clock, log, status, leases, service, instanceId } = options;
    this.startedAt = new Date(clock.now()).toISOString();
    this.reporter = new StatusReporter(status, () => this.report(), clock, log);
    this.restart = new RestartTurn({
      service,
      instanceId,
      leases,
      clock,
      log,
      readyPeers: () => this.reporter.readyPeers(),
      activeOperations: () => this.counts.reduce((sum, count) => sum + count(), 0),
      leave: (reason) => options.leave?.(reason),
      onState: () => this.reporter.changed(),
    });
    this.reload = new ConfigReload({
      ...options,
      onRestartWanted: (paths) => {
        if (options.leave !== undefined) this.restart.want(paths);
      },
      onProgress: () => this.reporter.changed(),
    });
  }

  async start(): Promise<void> {
    this.reload.start();
    await this.reporter.start();
  }

  onConfig(prefixes: readonly string[], label: string, apply: ApplyConfig, options?: { readonly initial?: boolean }): Promise<void> {
    return this.reload.onConfig(prefixes, label, apply, options);
  }

  operations(count: () => number): void {
    this.counts.push(count);
  }

  reloadAll(): Promise<void> {
    return this.reload.reloadAll();
  }

  /** Readiness has changed. */
  changed(): void {
    this.reporter.changed();
  }

  degraded(): { module: string; reason: string }[] {
    return this.reload.degraded();
  }

  /** What this process says of itself; also the answer of `/config` on its internal listener. */
  report(): ReplicaReport {
    const { service, instanceId, clock } = this.options;
    const tenants = this.reload.tenantsOf(MAX_REPORTED_TENANTS).flatMap((tenant) => {
      const progress = this.reload.progressOf(tenant);
      return progress === undefined ? [] : [[tenant, { mode: this.reload.modeOf(tenant), progress }] as const];
    });
    return {
      service,
      instanceId,
      startedAt: this.startedAt,
      reportedAt: new Date(clock.now()).toISOString(),
      ready: this.options.isReady(),
      restart: this.restart.state,
      // Every tenant may read this: what failed for one is told in its own progress.
      degraded: this.reload.leftOut(),
      tenants: Object.fromEntries(tenants),
    };
  }

  async stop(): Promise<void> {
    await this.restart.stop();
    await this.reload.stop();
    await this.reporter.stop();
  }
}
