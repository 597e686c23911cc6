import { isTimeZone, nextDue } from '@plexus/agent-config';
import { type DataOf, errors, type pushTriggersContracts as triggers } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Timing } from '../../domain/triggers/plan-firings.js';
import type { FireSchedules } from './fire-schedules.js';
import type { ScheduleRun, ScheduleStore, StoredSchedule } from './trigger-ports.js';

const MAX_PER_USER = 200;
/** Ids of schedules that the configuration makes. */
const RESERVED = /^(cron|heartbeat):/;

export interface ScheduleCaller {
  readonly tenant: string;
  readonly user?: string;
  /** Operators and services: every schedule of the tenant. */
  readonly all: boolean;
}

type Draft = DataOf<typeof triggers.createSchedule>;
type Patch = DataOf<typeof triggers.updateSchedule>;

/** Schedules of people: their own, or everybody's for operators. Those of the configuration can be seen and fired, not changed. */
export class ManageSchedules {
  constructor(
    private readonly store: ScheduleStore,
    private readonly firing: Pick<FireSchedules, 'fireNow'>,
    private readonly clock: Clock,
    private readonly newId: () => string,
  ) {}

  async create(caller: ScheduleCaller, { id, owner: wanted, ...draft }: Draft): Promise<{ schedule: StoredSchedule; created: boolean }> {
    const owner = wanted ?? caller.user;
    if (owner === undefined || (owner !== caller.user && !caller.all))
      throw errors.create('FORBIDDEN', { message: 'A schedule belongs to its caller; operators name another owner.' });
    if (id !== undefined && RESERVED.test(id)) throw invalid('id', 'ids that begin so are made by the configuration');
    const now = this.clock.now();
    const nextAt = this.#next(draft, draft.enabled, now);
    const schedule = { ...withoutUndefined(draft), tenant: caller.tenant, id: id ?? `sch_${this.newId()}`, owner, origin: 'user' as const, createdAt: now };
    const saved = await this.store.save({ ...schedule, ...(nextAt === undefined ? {} : { nextAt }) } as StoredSchedule, MAX_PER_USER);
    if (saved === 'taken') throw errors.create('CONFLICT', { message: 'This id is used for another schedule.' });
    if (saved === 'too_many') throw errors.create('QUOTA_EXCEEDED', { details: { maxSchedules: MAX_PER_USER } });
    return saved;
  }

  async update(caller: ScheduleCaller, { id, ...patch }: Patch): Promise<StoredSchedule> {
    const found = await this.#changeable(caller, id);
    const { cron, everyMs, ...rest } = withoutUndefined(patch);
    const { cron: oldCron, everyMs: oldEvery, nextAt: _before, ...kept } = found;
    const old = { ...(oldCron === undefined ? {} : { cron: oldCron }), ...(oldEvery === undefined ? {} : { everyMs: oldEvery }) };
    const timing =
      cron !== undefined || everyMs !== undefined ? { ...(cron === undefined ? {} : { cron }), ...(everyMs === undefined ? {} : { everyMs }) } : old;
    const changed = { ...kept, ...rest, ...timing };
    const nextAt = this.#next(changed, changed.enabled, this.clock.now());
    const saved = await this.store.save({ ...changed, ...(nextAt === undefined ? {} : { nextAt }) } as StoredSchedule, Number.MAX_SAFE_INTEGER);
    if (typeof saved === 'string') throw errors.create('CONFLICT');
    return saved.schedule;
  }

  /** In the order of their ids; `next` is where to go on. */
  async list(caller: ScheduleCaller, { all, after, limit }: DataOf<typeof triggers.listSchedules>): Promise<{ schedules: StoredSchedule[]; next?: string }> {
    if (all && !caller.all) throw errors.create('FORBIDDEN', { message: 'Only operators see the schedules of everybody.' });
    if (!all && caller.user === undefined) throw errors.create('FORBIDDEN', { message: 'The credential names no user.' });
    const owner = all ? {} : { owner: caller.user as string };
    const found = await this.store.list(caller.tenant, { ...owner, limit: limit + 1, ...(after === undefined ? {} : { after }) });
    const schedules = found.slice(0, limit);
    const last = schedules.at(-1);
    return { schedules, ...(found.length > limit && last !== undefined ? { next: last.id } : {}) };
  }

  /** False when there is none that the caller may remove. */
  async remove(caller: ScheduleCaller, id: string): Promise<boolean> {
    const found = await this.store.find(caller.tenant, id);
    if (found === undefined || !maySee(caller, found)) return false;
    requireChangeable(found);
    return this.store.remove(caller.tenant, id);
  }

  async runNow(caller: ScheduleCaller, id: string): Promise<ScheduleRun> {
    await this.#visible(caller, id);
    const run = await this.firing.fireNow(caller.tenant, id, this.clock.now());
    if (run === undefined) throw errors.create('NOT_FOUND');
    return run;
  }

  async runs(caller: ScheduleCaller, id: string, limit: number): Promise<ScheduleRun[]> {
    await this.#visible(caller, id);
    return this.store.runs(caller.tenant, id, limit);
  }

  async #visible(caller: ScheduleCaller, id: string): Promise<StoredSchedule> {
    const found = await this.store.find(caller.tenant, id);
    if (found === undefined || !maySee(caller, found)) throw errors.create('NOT_FOUND');
    return found;
  }

  async #changeable(caller: ScheduleCaller, id: string): Promise<StoredSchedule> {
    const found = await this.#visible(caller, id);
    requireChangeable(found);
    return found;
  }

  /** When it is due next. Throws INVALID_REQUEST for a timing that is none, or never comes. */
  #next(timing: { readonly [K in keyof Timing]?: Timing[K] | undefined }, enabled: boolean, now: number): number | undefined {
    const { cron, everyMs, timeZone = 'UTC' } = timing;
    if ((cron === undefined) === (everyMs === undefined)) throw invalid('cron', 'needs exactly one of cron and everyMs');
    if (!isTimeZone(timeZone)) throw invalid('timeZone', 'is no IANA time zone, such as Europe/Berlin');
    const nextAt = firstDue({ timeZone, ...(cron === undefined ? {} : { cron }), ...(everyMs === undefined ? {} : { everyMs }) }, now);
    if (nextAt === undefined) throw invalid('cron', 'names no time that ever comes');
    return enabled ? nextAt : undefined;
  }
}

function firstDue(timing: Timing, now: number): number | undefined {
  try {
    return nextDue(timing, now);
  } catch (cause) {
    throw errors.create('INVALID_REQUEST', { message: 'cron: is no pattern of five or six fields', details: { issues: [{ path: '/cron' }] }, cause });
  }
}

function maySee(caller: ScheduleCaller, schedule: StoredSchedule): boolean {
  return caller.all || schedule.owner === caller.user;
}

function requireChangeable({ origin }: StoredSchedule): void {
  if (origin === 'config') throw errors.create('CONFLICT', { message: "This schedule is made by the tenant's configuration and changed only there." });
}

function invalid(field: string, problem: string): Error {
  return errors.create('INVALID_REQUEST', { message: `${field}: ${problem}`, details: { issues: [{ path: `/${field}`, message: problem }] } });
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never;
}
