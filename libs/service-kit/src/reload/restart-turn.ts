import type { Bucket } from '@plexus/bus';
import type { Clock } from '@plexus/kernel';
import type { Logger } from 'pino';
import type { ReplicaReport } from './status-reporter.js';

/** How often conditions are looked at, in ms. */
const POLL_MS = 500;
/** Work that is going on, and a peer that should come back, are waited for so long; then the restart happens anyway. */
const MAX_DEFER_MS = 300_000;

export type RestartState = 'none' | 'waiting' | 'draining' | 'leaving';

export interface RestartTurnOptions {
  readonly service: string;
  readonly instanceId: string;
  readonly leases: Bucket;
  readonly clock: Clock;
  readonly log: Logger;
  readonly readyPeers: () => readonly ReplicaReport[];
  /** Operations that a restart would interrupt. */
  readonly activeOperations: () => number;
  /** Ends this process in order; whoever supervises it starts it again. */
  readonly leave: (reason: string) => void;
  readonly onState: () => void;
  readonly maxDeferMs?: number;
}

interface Turn {
  readonly instanceId: string;
  readonly since: number;
}

/**
 * Takes this process's turn in a staggered restart. One replica of a service at a time holds the lease `restart.<service>`, waits until
 * nothing is interrupted, and leaves without giving the lease back: the next one goes when a successor is ready, or when the lease has
 * expired and another replica is ready. With a single replica nobody is waited for.
 */
export class RestartTurn {
  private paths: readonly string[] = [];
  private current: RestartState = 'none';
  private working: Promise<void> | undefined;
  private revision: number | undefined;
  private readonly stopping = new AbortController();

  constructor(private readonly options: RestartTurnOptions) {}

  get state(): RestartState {
    return this.current;
  }

  /** Paths that a restart would apply; none takes an earlier wish back. */
  want(paths: readonly string[]): void {
    this.paths = paths;
    if (paths.length === 0 || this.stopping.signal.aborted) return;
    this.working ??= this.work().finally(() => {
      this.working = undefined;
      if (this.current === 'leaving') return;
      this.enter('none');
      // A wish may have come while the lease of the last one was being given back.
      this.want(this.paths);
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.working;
  }

  private get isWanted(): boolean {
    return this.paths.length > 0 && !this.stopping.signal.aborted;
  }

  private async work(): Promise<void> {
    const { clock, log, maxDeferMs = MAX_DEFER_MS } = this.options;
    const deadline = clock.monotonic() + maxDeferMs;
    log.info({ paths: this.paths }, 'a restart of this process is needed; waiting for its turn');
    this.enter('waiting');
    let hadPeers = false;
    while (this.isWanted) {
      hadPeers ||= this.options.readyPeers().length > 0;
      const late = clock.monotonic() >= deadline;
      const covered = !hadPeers || this.options.readyPeers().length > 0 || late;
      try {
        if (covered && (await this.hold())) {
          this.enter('draining');
          if (late || this.options.activeOperations() === 0) return this.leave(late);
        } else if (!covered) await this.release();
      } catch (err) {
        log.warn({ err }, 'the lease for a restart cannot be had now; tried again');
      }
      await this.pause();
    }
    await this.release().catch((err: unknown) => log.debug({ err }, 'the lease for a restart could not be given back; it expires'));
  }

  private leave(late: boolean): void {
    const { log, leave } = this.options;
    if (late) log.warn({ paths: this.paths, active: this.options.activeOperations() }, 'waited long enough: restarting although work is going on');
    this.enter('leaving');
    leave(`configuration: ${this.paths.join(', ')}`);
  }

  /** Takes or renews the lease; false while another replica has it. */
  private async hold(): Promise<boolean> {
    const { leases, service, instanceId, clock } = this.options;
    const key = `restart.${service}`;
    const value: Turn = { instanceId, since: clock.now() };
    if (this.revision !== undefined) {
      this.revision = await leases.update(key, value, this.revision);
      if (this.revision !== undefined) return true;
    }
    const held = await leases.get(key);
    if (held === undefined) this.revision = await leases.create(key, value);
    else if (this.isOver(held.json<Turn>())) this.revision = await leases.update(key, value, held.revision);
    return this.revision !== undefined;
  }

  /** The holder's turn is over when a process that started later is ready: its successor. */
  private isOver(turn: Turn): boolean {
    const peers = this.options.readyPeers();
    return !peers.some(({ instanceId }) => instanceId === turn.instanceId) && peers.some(({ startedAt }) => Date.parse(startedAt) > turn.since);
  }

  private async release(): Promise<void> {
    const { revision } = this;
    this.revision = undefined;
    if (revision !== undefined) await this.options.leases.delete(`restart.${this.options.service}`, revision);
  }

  private enter(state: RestartState): void {
    if (state === this.current) return;
    this.current = state;
    this.options.onState();
  }

  private async pause(): Promise<void> {
    // Aborted: the process stops for another reason.
    await this.options.clock.sleep(POLL_MS, this.stopping.signal).catch(() => undefined);
  }
}
