import { Cron } from 'croner';
import type { TenantConfig } from '../schema/tenant-config.js';
import { defaultAgentId } from './agents.js';

const HEARTBEAT_MESSAGE = 'Heartbeat: look whether anything needs your attention.';

/** A message to an agent at fixed times. Exactly one of `cron` and `everyMs` is set. */
export interface AgentSchedule {
  /** `heartbeat:<agent>` or `cron:<job>`; stable over changes of everything else. */
  readonly id: string;
  readonly kind: 'cron' | 'heartbeat';
  readonly agentId: string;
  readonly cron?: string;
  readonly everyMs?: number;
  /** IANA zone in which `cron` is read. */
  readonly timeZone: string;
  /** `last`, `none` or a channel id, lower case. */
  readonly target: string;
  readonly to?: string;
  readonly message: string;
}

/** What has to run by itself, disabled entries left out: heartbeats in the order of the agents, then cron jobs in theirs. */
export function schedulesOf(config: TenantConfig): AgentSchedule[] {
  return [...heartbeats(config), ...cronJobs(config)];
}

function heartbeats(config: TenantConfig): AgentSchedule[] {
  return config.agents.list.flatMap((agent): AgentSchedule[] => {
    const layers = [agent.heartbeat, config.agents.defaults?.heartbeat, config.heartbeat];
    const enabled = layers.find((layer) => layer?.enabled !== undefined)?.enabled ?? true;
    const everyMs = layers.find((layer) => layer?.everyMs !== undefined)?.everyMs ?? 0;
    if (!enabled || everyMs === 0) return [];
    const to = layers.find((layer) => layer?.to)?.to;
    return [
      {
        id: `heartbeat:${agent.id}`,
        kind: 'heartbeat',
        agentId: agent.id,
        everyMs: Math.max(1_000, everyMs),
        timeZone: 'UTC',
        target: targetOf(layers.find((layer) => layer?.target !== undefined)?.target),
        ...(to !== undefined && { to }),
        message: layers.find((layer) => layer?.message)?.message ?? HEARTBEAT_MESSAGE,
      },
    ];
  });
}

function cronJobs(config: TenantConfig): AgentSchedule[] {
  return (config.cron?.jobs ?? [])
    .filter((job) => job.enabled !== false)
    .map((job) => ({
      id: `cron:${job.id}`,
      kind: 'cron',
      agentId: job.agentId ?? defaultAgentId(config),
      ...(job.cron !== undefined && { cron: job.cron }),
      ...(job.everyMs !== undefined && { everyMs: job.everyMs }),
      timeZone: job.timeZone ?? 'UTC',
      target: targetOf(job.target),
      ...(job.to && { to: job.to }),
      message: job.message,
    }));
}

function targetOf(target: string | undefined): string {
  return target?.trim().toLowerCase() || 'last';
}

/**
 * The first due time after `after`, in milliseconds since 1970; undefined when there is none (the 30th of February). Intervals count
 * from 1970, so that every replica and every restart computes the same times. A cron time that daylight saving skips is due right
 * after the gap; one that occurs twice is due once, unless the pattern names every hour.
 */
export function nextDue(schedule: Pick<AgentSchedule, 'cron' | 'everyMs' | 'timeZone'>, after: number): number | undefined {
  if (schedule.everyMs !== undefined) return (Math.floor(after / schedule.everyMs) + 1) * schedule.everyMs;
  if (schedule.cron === undefined) return undefined;
  const cron = new Cron(schedule.cron, { timezone: schedule.timeZone, mode: '5-or-6-parts', paused: true });
  return cron.nextRun(new Date(after))?.getTime();
}
