import type { Bus } from '@plexus/bus';
import { configContracts } from '@plexus/contracts';
import { retry } from '@plexus/kernel';
import type { Logger } from '@plexus/service-kit';
import type { AnnounceConfig } from '../../application/config-ports.js';

const RETRY = { attempts: 8, baseMs: 200, capMs: 10_000 };
/** Announcements under way; beyond it the oldest story is told by the history alone. */
const MAX_PENDING = 1_000;

/** Publishes `evt config.changed` behind the write. The revision is the id, so a repetition is recognised; what cannot be said in a minute is logged, and stays in the history. */
export class ConfigAnnouncer {
  private readonly pending = new Set<Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly bus: Bus,
    private readonly log: Logger,
  ) {}

  readonly announce: AnnounceConfig = (tenant, revision, hash, { kind, by, credentialId, comment, changedPaths }) => {
    this.log.info({ tenant, revision, kind, by, credentialId, changedPaths }, 'configuration written');
    if (this.pending.size >= MAX_PENDING) {
      this.log.warn({ tenant, revision }, 'too many announcements wait; this one is left to the history');
      return;
    }
    const data = { tenant, revision, hash, by, credentialId, kind, changedPaths: [...changedPaths], ...(comment !== undefined && { comment }) };
    const said = retry(() => this.bus.publish(configContracts.configChanged, { tenant, key: [String(revision)], id: `config:${tenant}:${revision}`, data }), {
      ...RETRY,
      signal: this.stopping.signal,
      isRetryable: () => true,
    })
      .then(() => void 0)
      .catch((err: unknown) => this.log.warn({ err, tenant, revision }, 'a change of the configuration could not be announced; the history has it'))
      .finally(() => this.pending.delete(said));
    this.pending.add(said);
  };

  /** Says what is due, then stops trying. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.stopping.abort(), 1_000);
    await Promise.all(this.pending);
    clearTimeout(timer);
  }
}
