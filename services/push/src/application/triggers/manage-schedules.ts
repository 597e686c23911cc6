import { isTimeZone } from '@plexus/agent-config';
import { type DataOf, errors, pushTriggersContracts as triggers } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { dueAfter, type Timing } from '../../domain/triggers/plan-firings.js';
import type { FireSchedules } from './fire-schedules.js';
import { scheduleEvent } from '../../domain/triggers/schedule-event.js';
import type { Owner } from '../ports.js';
import { edited } from './edited.js';
import { withKnownAgent } from './named-agent.js';
import type { AgentDirectory, ScheduleAction, ScheduleRun, ScheduleStore, StoredSchedule } from './trigger-ports.js';

const MAX_PER_USER = 200;
/** A moment further away than this is a mistake. */
const LONGEST_WAIT_MS = 100 * 366 * 86_400_000;
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
    private readonly agents: AgentDirectory,
    private readonly clock: Clock,
    private readonly newId: () => string,
  ) {}

  async create(caller: ScheduleCaller, { id, owner: wanted, at, ...rest }: Draft): Promise<{ schedule: StoredSchedule; created: boolean }> {
    const owner = wanted ?? caller.user;
    if (owner === undefined || (owner !== caller.user && !caller.all))
      throw errors.create('FORBIDDEN', { message: 'A schedule belongs to its caller; operators name another owner.' });
    if (id !== undefined && RESERVED.test(id)) throw invalid('id', 'ids that begin so are made by the configuration');
    requirePublishable(rest.action);
    const action = await this.#known({ tenant: caller.tenant, user: owner }, rest.action);
    const draft = { ...rest, action, ...momentOf(at) };
    const now = this.clock.now();
    const nextAt = this.#next(draft, draft.enabled, now);
    const schedule = { ...withoutUndefined(draft), tenant: caller.tenant, id: id ?? `sch_${this.newId()}`, owner, origin: 'user' as const, createdAt: now };
    const saved = await this.store.save({ ...schedule, ...(nextAt === undefined ? {} : { nextAt }) } as StoredSchedule, MAX_PER_USER);
    if (saved === 'taken') throw errors.create('CONFLICT', { message: 'This id is used for another schedule.' });
    if (saved === 'too_many') throw errors.create('QUOTA_EXCEEDED', { details: { maxSchedules: MAX_PER_USER } });
    return saved;
  }

  async update(caller: ScheduleCaller, { id, at, baseVersion, ...given }: Patch): Promise<StoredSchedule> {
    const { owner, action: before, origin, enabled } = await this.#visible(caller, id);
    requireChangeable({ origin });
    if (given.action !== undefined) requirePublishable(given.action);
    // One that rests is left alone, whatever became of its agent; it is looked at again before it may run.
    const wakes = given.enabled === true && !enabled;
    const action = given.action !== undefined || wakes ? await this.#known({ tenant: caller.tenant, user: owner }, given.action ?? before) : undefined;
    const patch = withoutUndefined({ ...given, action, ...momentOf(at) });
    const now = this.clock.now();
    const saved = await this.store.change(caller.tenant, id, (found) => {
      if (!maySee(caller, found)) throw errors.create('NOT_FOUND');
      requireChangeable(found);
      const { nextAt: _before, ...changed } = retimed(found, patch);
      // Nothing new: its next due time stays as well.
      const same = edited(found, { ...changed, ...(found.nextAt === undefined ? {} : { nextAt: found.nextAt }) }, baseVersion);
      if (same === found) return found;
      const nextAt = this.#next(changed, changed.enabled, now);
      return { ...changed, ...(nextAt === undefined ? {} : { nextAt }) };
    });
    if (saved === undefined) throw errors.create('NOT_FOUND');
    return saved;
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

  /** With the agent of the action as routing writes it. Throws INVALID_REQUEST for one that nobody configured. */
  async #known(owner: Owner, action: ScheduleAction): Promise<ScheduleAction> {
    return action.kind === 'agent' ? withKnownAgent(this.agents, owner, action, '/action') : action;
  }

  async #visible(caller: ScheduleCaller, id: string): Promise<StoredSchedule> {
    const found = await this.store.find(caller.tenant, id);
    if (found === undefined || !maySee(caller, found)) throw errors.create('NOT_FOUND');
    return found;
  }

  /** When it is due next. Throws INVALID_REQUEST for a timing that is none, or never comes. */
  #next(timing: { readonly [K in keyof Timing]?: Timing[K] | undefined }, enabled: boolean, now: number): number | undefined {
    const { cron, everyMs, at, timeZone = 'UTC' } = timing;
    if ([cron, everyMs, at].filter((one) => one !== undefined).length !== 1) throw invalid('cron', 'needs exactly one of cron, everyMs and at');
    if (!isTimeZone(timeZone)) throw invalid('timeZone', 'is no IANA time zone, such as Europe/Berlin');
    // A moment that is over stays what it was, as long as it does not have to come again.
    if (at !== undefined && !enabled) return undefined;
    if (at !== undefined && (at <= now || at > now + LONGEST_WAIT_MS)) throw invalid('at', 'must be in the future, within a hundred years');
    const nextAt = firstDue(withoutUndefined({ timeZone, cron, everyMs, at }), now);
    if (nextAt === undefined) throw invalid('cron', 'names no time that ever comes');
    return enabled ? nextAt : undefined;
  }
}

function momentOf(at: string | undefined): { readonly at?: number } {
  return at === undefined ? {} : { at: Date.parse(at) };
}

/** A timing in the patch replaces the one that was. */
function retimed(found: StoredSchedule, patch: Partial<StoredSchedule>): StoredSchedule {
  if (patch.cron === undefined && patch.everyMs === undefined && patch.at === undefined) return { ...found, ...patch };
  const { cron: _cron, everyMs: _everyMs, at: _at, ...rest } = found;
  return { ...rest, ...patch };
}

/** Refuses what could not be published when it is due. */
function requirePublishable(action: ScheduleAction): void {
  if (action.kind !== 'event') return;
  const { success, error } = triggers.scheduleFired.data.safeParse(scheduleEvent(action, 'sch', 0));
  if (!success) throw invalid('action', error.issues.map(({ path, message }) => `data.${path.join('.')}: ${message}`).join('; '));
}

function firstDue(timing: Timing, now: number): number | undefined {
  try {
    return dueAfter(timing, now);
  } catch (cause) {
    throw errors.create('INVALID_REQUEST', { message: 'cron: is no pattern of five or six fields', details: { issues: [{ path: '/cron' }] }, cause });
  }
}

function maySee(caller: ScheduleCaller, schedule: StoredSchedule): boolean {
  return caller.all || schedule.owner === caller.user;
}

function requireChangeable({ origin }: Pick<StoredSchedule, 'origin'>): void {
  if (origin === 'config') throw errors.create('CONFLICT', { message: "This schedule is made by the tenant's configuration and changed only there." });
}

function invalid(field: string, problem: string): Error {
  return errors.create('INVALID_REQUEST', { message: `${field}: ${problem}`, details: { issues: [{ path: `/${field}`, message: problem }] } });
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as never;
}
