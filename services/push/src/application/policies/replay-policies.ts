import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { ManagePolicies, PolicyReference } from './manage-policies.js';
import type { StoredPolicy } from './policy-ports.js';
import type { ReplayJob, ReplayJobs } from './replay-jobs.js';
import type { ReplayLimits, ReplayLog, ReplayRequest } from './replay-log.js';
import type { ReplayResult } from './replay-result.js';

export interface ReplayQuestion extends PolicyReference {
  readonly from: string;
  readonly to?: string | undefined;
  readonly users?: readonly string[] | undefined;
  readonly warmUpHours: number;
}

const HOUR_MS = 60 * 60_000;
/** As long as the log is kept. */
const LOG_MS = 14 * 24 * HOUR_MS;
/** The version that the compared policy has in a replay: it has no number of its own there, and must differ from every present one. */
const REPLAYED_VERSION = 2_147_483_647;

/** Replays on demand, as jobs, and the one that every activation makes. */
export class ReplayPolicies {
  constructor(
    private readonly policies: () => ManagePolicies,
    private readonly jobs: ReplayJobs,
    private readonly replay: ReplayLog,
    private readonly clock: Clock,
    private readonly checkLimits: ReplayLimits,
    private readonly stopping: AbortSignal,
  ) {}

  /** Starts a job and returns its id. INVALID_REQUEST for an empty stretch or one older than the log, NOT_FOUND, QUEUE_FULL. */
  async start(tenant: string, question: ReplayQuestion): Promise<string> {
    const now = this.clock.now();
    const from = Date.parse(question.from);
    const to = Math.min(now, question.to === undefined ? now : Date.parse(question.to));
    if (from >= to) throw errors.create('INVALID_REQUEST', { message: 'The stretch of time is empty: `from` must be before `to`, and before now.' });
    if (now - to > LOG_MS) throw errors.create('INVALID_REQUEST', { message: 'The log is kept for 14 days; nothing of that stretch is left.' });
    const [before, after] = await Promise.all([this.policies().active(tenant), this.policies().resolve(tenant, question)]);
    const { users } = question;
    const warmUpFrom = Math.max(from - question.warmUpHours * HOUR_MS, now - LOG_MS, 0);
    const request: ReplayRequest = {
      tenant,
      ...compared(before, after),
      warmUpFrom: Math.min(warmUpFrom, from),
      from,
      to,
      ...(users === undefined ? {} : { users }),
    };
    return this.jobs.start(request, { digest: after.digest, ...(after.version === undefined ? {} : { version: after.version }) });
  }

  get(tenant: string, id: string, waitMs: number): Promise<ReplayJob> {
    return this.jobs.get(tenant, id, waitMs);
  }

  cancel(tenant: string, id: string): Promise<ReplayJob> {
    return this.jobs.cancel(tenant, id);
  }

  /**
   * The check of an activation. What an earlier job found counts, however long its stretch was; else the last hours are replayed, within the
   * time of a call, so that on much traffic it covers a part of the partitions and says so.
   */
  async check(tenant: string, { before, after }: { readonly before: StoredPolicy; readonly after: StoredPolicy }, hours: number): Promise<ReplayResult> {
    const known = await this.jobs.regressions(tenant, after.digest, before.version);
    if (known !== undefined) return known;
    const to = this.clock.now();
    const from = Math.max(0, to - hours * HOUR_MS);
    const warmUpFrom = Math.max(0, from - Math.min(24, hours) * HOUR_MS);
    const { result } = await this.replay.run({ tenant, ...compared(before, after), warmUpFrom, from, to }, this.checkLimits, this.stopping);
    return result;
  }
}

function compared(before: StoredPolicy, after: Pick<StoredPolicy, 'body'> & { readonly version?: number }): Pick<ReplayRequest, 'before' | 'after'> {
  const version = after.version === undefined || after.version === before.version ? REPLAYED_VERSION : after.version;
  return { before: { version: before.version, body: before.body }, after: { version, body: after.body } };
}
