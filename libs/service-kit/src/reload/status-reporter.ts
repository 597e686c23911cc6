import type { Bucket, BucketWatch } from '@plexus/bus';
import { configContracts } from '@plexus/contracts';
import type { Clock, Timer } from '@plexus/kernel';
import type { Logger } from 'pino';
import { z } from 'zod';

/** Shorter than a third of the bucket's TTL: one lost write is not a death. */
const HEARTBEAT_MS = 4_000;
/** Changes that follow each other closely are one report. */
const GATHER_MS = 50;
/** Tenants in one report, those with something open first. */
export const MAX_REPORTED_TENANTS = 200;

/** What a process says of itself in PLEXUS_CONFIG_STATUS. */
export const ReplicaReport = z.object({
  service: z.string(),
  instanceId: z.string(),
  startedAt: z.string(),
  reportedAt: z.string(),
  ready: z.boolean(),
  restart: z.enum(['none', 'waiting', 'draining', 'leaving']),
  degraded: z.array(z.object({ module: z.string(), reason: z.string() })),
  tenants: z.record(z.string(), z.object({ mode: z.enum(['off', 'hot', 'hybrid', 'restart']), progress: configContracts.ConfigProgress })),
});
export type ReplicaReport = z.infer<typeof ReplicaReport>;

/** Keeps this process's report current while it lives, and knows those of its peers. A report that cannot be written is written with the next heartbeat. */
export class StatusReporter {
  private readonly peers = new Map<string, ReplicaReport>();
  private watch: BucketWatch | undefined;
  private heartbeat: Timer | undefined;
  private gathering: Timer | undefined;
  private writing: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly bucket: Bucket,
    private readonly report: () => ReplicaReport,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  async start(): Promise<void> {
    const { service } = this.report();
    this.watch = this.bucket.watch(`${service}.*`, (change) => {
      if (change.kind === 'delete') this.peers.delete(change.key);
      else {
        const parsed = ReplicaReport.safeParse(change.entry.json());
        if (parsed.success) this.peers.set(change.key, parsed.data);
      }
    });
    await this.watch.ready;
    await this.write();
    this.beat();
  }

  /** Other processes of this service that are ready now. */
  readyPeers(): ReplicaReport[] {
    const own = this.key();
    return [...this.peers].flatMap(([key, peer]) => (key !== own && peer.ready && peer.restart !== 'leaving' ? [peer] : []));
  }

  /** Something changed: writes soon. */
  changed(): void {
    if (this.stopped) return;
    this.gathering ??= this.clock
      .setTimeout(() => {
        this.gathering = undefined;
        void this.write();
      }, GATHER_MS)
      .unref();
  }

  /** Takes the report away: from now on this process does not count. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.heartbeat?.cancel();
    this.gathering?.cancel();
    await this.watch?.stop();
    await this.writing;
    await this.bucket.delete(this.key()).catch((err: unknown) => this.log.debug({ err }, 'the report could not be taken away; it expires'));
  }

  private beat(): void {
    if (this.stopped) return;
    this.heartbeat = this.clock
      .setTimeout(() => {
        void this.write().then(() => this.beat());
      }, HEARTBEAT_MS)
      .unref();
  }

  /** One write after the other; never rejects. */
  private write(): Promise<void> {
    this.writing = this.writing.then(async () => {
      if (this.stopped) return;
      try {
        await this.bucket.put(this.key(), this.report());
      } catch (err) {
        this.log.debug({ err }, 'the configuration report could not be written; written again with the next heartbeat');
      }
    });
    return this.writing;
  }

  private key(): string {
    const { service, instanceId } = this.report();
    return `${service}.${instanceId}`;
  }
}
