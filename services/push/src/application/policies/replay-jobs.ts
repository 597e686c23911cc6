import { errors, type pushPolicyContracts } from '@plexus/contracts';
import { AbortedError, type Clock } from '@plexus/kernel';
import type { ReplayFinding, ReplayLimits, ReplayLog, ReplayProgress, ReplayRequest } from './replay-log.js';

export type ReplayJob = pushPolicyContracts.ReplayJob;

export interface NewReplayJob {
  readonly tenant: string;
  readonly id: string;
  readonly version?: number;
  readonly digest: string;
  readonly against: number;
}

/** Keeps replays, so that any replica can say how far one is. Rows of a replica that is gone are told as `interrupted`. */
export interface ReplayJobStore {
  /** False when `most` of the tenant are running already. */
  create(job: NewReplayJob, aliveMs: number, most: number): Promise<boolean>;
  /** Notes progress and life; false when somebody asked for the end, or the job is gone. */
  beat(tenant: string, id: string, progress: ReplayProgress, aliveMs: number): Promise<boolean>;
  finish(
    tenant: string,
    id: string,
    end:
      | { readonly state: 'done'; readonly finding: ReplayFinding; readonly progress: ReplayProgress }
      | { readonly state: 'failed' | 'cancelled'; readonly error?: string },
  ): Promise<void>;
  cancel(tenant: string, id: string): Promise<boolean>;
  get(tenant: string, id: string): Promise<ReplayJob | undefined>;
  /** The newest finding of critical regressions by a policy that says exactly this, against the one that is active. */
  regressions(tenant: string, digest: string, against: number): Promise<ReplayFinding['result'] | undefined>;
  /** Forgets what is older than `days`. */
  prune(days: number): Promise<void>;
}

export interface ReplayJobLimits {
  readonly replay: ReplayLimits;
  readonly perTenant: number;
  readonly perReplica: number;
}

/** How long a job counts as alive without a sign. */
const ALIVE_MS = 20_000;
const BEAT_MS = 1_000;
const POLL_MS = 50;
const KEPT_DAYS = 7;

/**
 * Replays that take longer than a call may. A job runs in the replica that took it; its state is in the database, where every replica
 * finds it. A replica that stops ends its jobs as interrupted: they can be started again, nothing was changed by them.
 */
export class ReplayJobs {
  readonly #running = new Set<Promise<void>>();

  constructor(
    private readonly store: ReplayJobStore,
    private readonly replay: ReplayLog,
    private readonly newId: () => string,
    private readonly clock: Clock,
    private readonly limits: ReplayJobLimits,
    private readonly stopping: AbortSignal,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Starts one. QUEUE_FULL when enough of them are running. */
  async start(request: ReplayRequest, policy: { readonly digest: string; readonly version?: number }): Promise<string> {
    const { tenant } = request;
    if (this.#running.size >= this.limits.perReplica || this.stopping.aborted)
      throw errors.create('QUEUE_FULL', { message: 'Enough replays are running here.' });
    const id = `rpl_${this.newId()}`;
    const job = { tenant, id, digest: policy.digest, against: request.before.version, ...(policy.version === undefined ? {} : { version: policy.version }) };
    await this.store.prune(KEPT_DAYS);
    if (!(await this.store.create(job, ALIVE_MS, this.limits.perTenant))) {
      throw errors.create('QUEUE_FULL', { message: `${this.limits.perTenant} replays of this tenant are running; wait for one, or cancel it.` });
    }
    const run = this.#run(id, request).catch(this.onError);
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
    return id;
  }

  /** The job, once it has ended or `waitMs` are over. NOT_FOUND. */
  async get(tenant: string, id: string, waitMs: number): Promise<ReplayJob> {
    const until = this.clock.monotonic() + waitMs;
    for (;;) {
      const job = await this.store.get(tenant, id);
      if (job === undefined) throw errors.create('NOT_FOUND', { message: `There is no replay ${id}.` });
      if (job.state !== 'running' || this.clock.monotonic() >= until || this.stopping.aborted) return job;
      await this.clock.sleep(POLL_MS);
    }
  }

  /** Asks for the end; the job ends within about a second. NOT_FOUND. */
  async cancel(tenant: string, id: string): Promise<ReplayJob> {
    await this.store.cancel(tenant, id);
    return this.get(tenant, id, 2 * BEAT_MS);
  }

  /** What a replay of any length found that speaks against a policy; undefined when none did. */
  regressions(tenant: string, digest: string, against: number): Promise<ReplayFinding['result'] | undefined> {
    return this.store.regressions(tenant, digest, against);
  }

  /** Settles when every job of this replica has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #run(id: string, request: ReplayRequest): Promise<void> {
    const { tenant } = request;
    const ended = new AbortController();
    const cancelled = new AbortController();
    let progress: ReplayProgress = { inputs: 0, partitions: 0 };
    const beating = this.#beat(tenant, id, () => progress, cancelled, ended.signal);
    try {
      const signal = AbortSignal.any([cancelled.signal, this.stopping]);
      const finding = await this.replay.run(request, this.limits.replay, signal, (now) => {
        progress = now;
      });
      ended.abort();
      await beating;
      if (cancelled.signal.aborted) await this.store.finish(tenant, id, { state: 'cancelled' });
      else await this.store.finish(tenant, id, { state: 'done', finding, progress });
    } catch (error) {
      ended.abort();
      await beating;
      // A replica that stops says nothing more: its job is told as interrupted.
      if (this.stopping.aborted) return;
      if (cancelled.signal.aborted) await this.store.finish(tenant, id, { state: 'cancelled' });
      else {
        await this.store.finish(tenant, id, { state: 'failed', error: error instanceof Error ? error.message : String(error) });
        this.onError(error);
      }
    }
  }

  async #beat(tenant: string, id: string, progress: () => ReplayProgress, cancelled: AbortController, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await this.clock.sleep(BEAT_MS, ended).catch((error: unknown) => {
        if (!(error instanceof AbortedError)) throw error;
      });
      if (ended.aborted) return;
      try {
        if (!(await this.store.beat(tenant, id, progress(), ALIVE_MS))) cancelled.abort(new AbortedError('the replay was cancelled'));
      } catch (error) {
        this.onError(error);
      }
    }
  }
}
