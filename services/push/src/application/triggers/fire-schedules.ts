import type { Clock } from '@plexus/kernel';
import { noticeEvent } from '../../domain/triggers/notice.js';
import { type FiringPlan, planFirings } from '../../domain/triggers/plan-firings.js';
import { requestHash } from '../../domain/triggers/request-hash.js';
import { scheduleEvent } from '../../domain/triggers/schedule-event.js';
import type { NewRun, Outgoing, ScheduleRun, StoredSchedule, TriggerStore, TriggerTransaction } from './trigger-ports.js';

const BATCH = 50;
/** How often a single moment of a tenant that is away is looked at again. */
const AWAY_MS = 60_000;

export type FiringResult = 'due' | 'caught_up' | 'manual' | 'skipped';

/**
 * Fires what is due. A due time is a row with a key of its own, written in the transaction that also holds what the firing does: over any number
 * of replicas and crashes it happens once or, rolled back, not yet.
 */
export class FireSchedules {
  constructor(
    private readonly store: TriggerStore,
    private readonly clock: Clock,
    private readonly newId: () => string,
    private readonly onFired: (result: FiringResult) => void,
    /** Nothing is done for a tenant that was removed; what repeats is skipped meanwhile, a single moment waits, should the tenant come back. */
    private readonly exists: (tenant: string) => boolean = () => true,
  ) {}

  /** One batch; true when there may be more that is due now. */
  async step(): Promise<boolean> {
    const { count, results } = await this.store.transaction(async (tx) => {
      const now = this.clock.now();
      const due = await tx.claimDue(now, BATCH);
      const done: FiringResult[] = [];
      for (const schedule of due) done.push(...(await this.#fireDue(tx, schedule, now)));
      return { count: due.length, results: done };
    });
    for (const result of results) this.onFired(result);
    return count === BATCH;
  }

  /** Fires a schedule beside its due times. Undefined: there is none. `dueAt` of an earlier call with the same key is that call. */
  async fireNow(tenant: string, id: string, dueAt: number): Promise<ScheduleRun | undefined> {
    const run = await this.store.transaction(async (tx) => {
      const schedule = await tx.lockSchedule(tenant, id);
      return schedule && this.#fireOne(tx, schedule, dueAt, 'manual', this.clock.now());
    });
    if (run !== undefined) this.onFired(run.state === 'fired' ? 'manual' : 'skipped');
    return run;
  }

  async #fireDue(tx: TriggerTransaction, schedule: StoredSchedule, now: number): Promise<FiringResult[]> {
    const plan = planOf(schedule, now);
    const results: FiringResult[] = [];
    if (plan.skipped !== undefined) {
      const { lastDueAt: dueAt, count } = plan.skipped;
      const reason = plan.problem ?? `${count} due time${count === 1 ? '' : 's'} or more passed while nothing looked`;
      await tx.recordFiring(schedule, { dueAt, firedAt: now, trigger: 'due', state: 'skipped', reason });
      results.push('skipped');
    }
    const gone = !this.exists(schedule.tenant);
    if (gone && schedule.at !== undefined) {
      // A single moment is not used up by a tenant that is away: it is looked at again until the tenant is back, or the schedule removed.
      await tx.moveSchedule(schedule, now + AWAY_MS);
      return [];
    }
    for (const { dueAt, trigger } of plan.firings) {
      if (gone) {
        await this.#skip(tx, schedule, { dueAt, firedAt: now, trigger }, 'its tenant does not exist');
        results.push('skipped');
        continue;
      }
      const run = await this.#fireOne(tx, schedule, dueAt, trigger, now);
      results.push(run.state === 'fired' ? trigger : 'skipped');
    }
    await tx.moveSchedule(schedule, plan.nextAt);
    return results;
  }

  async #fireOne(tx: TriggerTransaction, schedule: StoredSchedule, dueAt: number, trigger: ScheduleRun['trigger'], firedAt: number): Promise<ScheduleRun> {
    const { action } = schedule;
    // A single moment is not passed over: its run waits in the session for the one before.
    if (action.kind === 'agent' && schedule.at === undefined && (await tx.hasOpenRun(schedule.tenant, 'schedule', schedule.id))) {
      return this.#skip(tx, schedule, { dueAt, firedAt, trigger }, 'the run before has not ended');
    }
    const message = messageOf(schedule, dueAt, firedAt);
    const messages = message === undefined ? [] : [message];
    const problem = tx.problemOf(messages);
    if (problem !== undefined) return this.#skip(tx, schedule, { dueAt, firedAt, trigger }, `its event cannot be published: ${problem}`);
    const started = action.kind === 'agent' ? runOf(schedule, action, `dsp_${this.newId()}`, dueAt, firedAt) : undefined;
    const run: ScheduleRun = { dueAt, firedAt, trigger, state: 'fired', ...(started === undefined ? {} : { runId: started.id }) };
    // Fired before: whatever it did is done.
    if (!(await tx.recordFiring(schedule, run))) return run;
    if (started !== undefined) await tx.startRun(started);
    if (messages.length > 0) await tx.publish(messages);
    return run;
  }

  async #skip(tx: TriggerTransaction, schedule: StoredSchedule, of: Pick<ScheduleRun, 'dueAt' | 'firedAt' | 'trigger'>, reason: string): Promise<ScheduleRun> {
    const skipped: ScheduleRun = { ...of, state: 'skipped', reason };
    await tx.recordFiring(schedule, skipped);
    return skipped;
  }
}

/** A schedule that cannot be read any more (a zone that the platform forgot) must not hold up the others: it is never due again. */
function planOf(schedule: StoredSchedule, now: number): FiringPlan & { readonly problem?: string } {
  // A single moment may have been put off since.
  const nextAt = schedule.at ?? schedule.nextAt ?? now;
  try {
    return planFirings(schedule, schedule.catchUp, nextAt, now);
  } catch (error) {
    // Kept with the firing, where whoever looks for the reason finds it.
    return {
      firings: [],
      skipped: { lastDueAt: nextAt, count: 1 },
      problem: `its timing cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

function runOf(schedule: StoredSchedule, action: StoredSchedule['action'] & { kind: 'agent' }, id: string, dueAt: number, now: number): NewRun {
  const { agentId, message, timeoutMs } = action;
  const task = { message, timeoutMs, sessionKey: action.sessionKey ?? `cron:${schedule.id}`, ...(agentId === undefined ? {} : { agentId }) };
  return {
    tenant: schedule.tenant,
    id,
    owner: schedule.owner,
    kind: 'schedule',
    sourceId: schedule.id,
    dedupKey: String(dueAt),
    requestHash: requestHash(task),
    task,
    recipients: [],
    depth: 1,
    createdAt: now,
    deadline: now + timeoutMs,
  };
}

function messageOf({ tenant, id, owner, action }: StoredSchedule, dueAt: number, now: number): Outgoing | undefined {
  const eventId = `schedule:${id}:${dueAt}`;
  if (action.kind === 'notify') return { kind: 'notice', tenant, user: owner, event: noticeEvent(tenant, owner, action, eventId, now) };
  if (action.kind !== 'event') return undefined;
  const { type, severity } = action;
  return {
    kind: 'event',
    tenant,
    name: 'schedule-fired',
    id: eventId,
    at: dueAt,
    ...(type === undefined ? {} : { type }),
    severity,
    data: scheduleEvent(action, id, dueAt),
  };
}
