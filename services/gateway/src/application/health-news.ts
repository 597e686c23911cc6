import type { StateVersion } from '@plexus/client-protocol';
import { type ClientConnection, type SharedEvent, shareEvent } from './client-connection.js';

/** Whether the process can do its work, and why not. */
export interface Health {
  readonly ready: boolean;
  readonly failing: readonly string[];
}

/** What clients are told of it: in the answer to `health`, in the hello, and as the event `health`. */
export function healthView({ ready, failing }: Health, about: { readonly ts: number; readonly defaultAgentId: string }) {
  return { ok: ready, ts: about.ts, ...(failing.length > 0 ? { failing } : {}), defaultAgentId: about.defaultAgentId };
}

/** So long a change must last before it is told: a connection to the bus that comes back at once is no news. */
const LASTS_MS = 2_000;

/** Tells every client when the health of this gateway has changed, once for each change that lasts. */
export class HealthNews {
  /** What clients know; undefined before the process serves. */
  private told: string | undefined;
  private seen: { readonly state: string; readonly since: number } | undefined;
  private version = 0;

  constructor(
    private readonly health: () => Health,
    private readonly clients: { all(): Iterable<ClientConnection> },
    private readonly defaultAgentId: (tenant: string) => string,
    private readonly now: () => number,
  ) {}

  /** Of presence nothing is counted: whoever wants it asks. */
  get stateVersion(): StateVersion {
    return { presence: 0, health: this.version };
  }

  /** Called again and again; `at` is a clock that never goes back. */
  look(at: number): void {
    const health = this.health();
    // Whoever starts has no clients yet, and going is said by `shutdown`.
    if (health.failing.includes('starting') || health.failing.includes('draining')) return;
    const state = JSON.stringify(health.failing);
    if (this.seen?.state !== state) this.seen = { state, since: at };
    this.told ??= state;
    if (state === this.told || at - this.seen.since < LASTS_MS) return;
    this.told = state;
    this.version += 1;
    this.tell(health);
  }

  private tell(health: Health): void {
    const events = new Map<string, SharedEvent>();
    const { stateVersion } = this;
    for (const connection of this.clients.all()) {
      const { tenant } = connection.principal;
      const event =
        events.get(tenant) ??
        shareEvent('health', healthView(health, { ts: this.now(), defaultAgentId: this.defaultAgentId(tenant) }), true, { latestOf: 'health', stateVersion });
      events.set(tenant, event);
      connection.send(event);
    }
  }
}
