import { findAgent, nextDue, schedulesOf, type TenantConfig } from '@plexus/agent-config';
import type { Clock } from '@plexus/kernel';
import type { ScheduleStore, StoredSchedule } from './trigger-ports.js';

/** Whose the schedules are where neither agent nor tenant names an owner; the same as in routing. */
const DEFAULT_OWNER = 'me';
const RUN_TIMEOUT_MS = 600_000;

/** Cron jobs and heartbeats of a tenant's configuration, as schedules like any other: one row each, changed with the configuration. */
export class ConfigSchedules {
  constructor(
    private readonly store: ScheduleStore,
    private readonly clock: Clock,
  ) {}

  /** Makes the rows what this revision says. Repeating it is harmless; an older revision changes nothing. */
  async apply(tenant: string, config: TenantConfig, revision: number): Promise<{ readonly changed: number; readonly removed: number }> {
    if (revision === 0) return this.clear(tenant);
    return this.store.reconcile(tenant, revision, wantedSchedules(tenant, config, this.clock.now()));
  }

  /** The tenant has no document. */
  clear(tenant: string): Promise<{ readonly changed: number; readonly removed: number }> {
    return this.store.reconcile(tenant, Number.MAX_SAFE_INTEGER, []);
  }
}

/** A missed heartbeat is not caught up, nor is a cron job: the next one comes. */
export function wantedSchedules(tenant: string, config: TenantConfig, now: number): StoredSchedule[] {
  return schedulesOf(config).map(({ id, kind, agentId, cron, everyMs, timeZone, message }): StoredSchedule => {
    const timing = { timeZone, ...(cron === undefined ? {} : { cron }), ...(everyMs === undefined ? {} : { everyMs }) };
    const nextAt = nextDue(timing, now);
    return {
      ...timing,
      tenant,
      id,
      owner: findAgent(config, agentId)?.owner ?? config.defaultOwner ?? DEFAULT_OWNER,
      name: id,
      // A heartbeat belongs into the conversation that the owner has with the agent; a job has one of its own.
      action: { kind: 'agent', agentId, message, sessionKey: kind === 'heartbeat' ? 'main' : id, timeoutMs: RUN_TIMEOUT_MS },
      catchUp: { mode: 'skip', max: 1 },
      enabled: true,
      origin: 'config',
      ...(nextAt === undefined ? {} : { nextAt }),
      createdAt: now,
    };
  });
}
