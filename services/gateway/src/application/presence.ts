import type { Introduction } from '../domain/introduction.js';
import type { Log } from './ports.js';

/** One connection of a client, as others see it. */
export interface PresenceEntry {
  readonly gateway: string;
  readonly connId: string;
  readonly user: string;
  /** Wall clock, ms. */
  readonly ts: number;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly mode: string;
  readonly platform: string;
  readonly version: string;
  readonly text: string;
  readonly instanceId?: string;
}

/** Who wants to come in. */
export interface Newcomer {
  readonly tenant: string;
  /** Connections of loopback are not limited. */
  readonly exempt: boolean;
  readonly entry: PresenceEntry;
}

/** A place that was taken; it is given back when the connection is gone. */
export interface Place {
  release(): void;
}

export interface PresenceStore {
  /** Takes one of `slots` places of the user (0: as many as there are, written down in the background). Undefined when all are taken by living connections. */
  take(newcomer: Newcomer, slots: number): Promise<Place | undefined>;
  /** Connections of a user, or of the whole tenant, on gateways that live. */
  list(tenant: string, user: string | undefined): Promise<PresenceEntry[]>;
  /** How many connections of the tenant the other gateways said they hold, a few seconds ago at most. */
  elsewhere(tenant: string): number;
}

export interface PresenceLimits {
  /** Connections of one user in the whole mesh; 0: no limit. */
  readonly perUser: number;
  /** Connections of one tenant; 0: no limit. */
  readonly perTenant: number;
}

export type Admission = { readonly kind: 'in'; readonly place: Place } | { readonly kind: 'full'; readonly whose: 'user' | 'tenant' };

/**
 * Who is connected, in the whole mesh, and how many may be. A user's limit is exact: each connection holds one of N places that are taken by
 * compare-and-set. A tenant's is counted from what gateways say every few seconds, so it may be passed by what comes in meanwhile.
 * While the bus is away, everybody is let in: a limit is no reason to lock people out.
 */
export class Presence {
  private readonly here = new Map<string, number>();
  /** Connections that were let in without a place, because the bus was away. */
  unplaced = 0;

  constructor(
    private readonly store: PresenceStore,
    private readonly limits: PresenceLimits,
    private readonly log: Pick<Log, 'warn'>,
  ) {}

  async enter(newcomer: Newcomer): Promise<Admission> {
    const { tenant, exempt } = newcomer;
    const { perTenant, perUser } = this.limits;
    if (!exempt && perTenant > 0 && this.countHere(tenant) + this.store.elsewhere(tenant) >= perTenant) return { kind: 'full', whose: 'tenant' };
    this.here.set(tenant, this.countHere(tenant) + 1);
    const place = await this.store.take(newcomer, exempt ? 0 : perUser).catch((error: unknown) => {
      this.unplaced += 1;
      this.log.warn({ error }, 'a connection is let in without being counted: the bus is away');
      return NOWHERE;
    });
    if (place === undefined) {
      this.gone(tenant);
      return { kind: 'full', whose: 'user' };
    }
    return { kind: 'in', place: new CountedPlace(tenant, place, this) };
  }

  list(tenant: string, user: string | undefined): Promise<PresenceEntry[]> {
    return this.store.list(tenant, user);
  }

  /** Connections of this process by tenant, for the other gateways. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.here);
  }

  private countHere(tenant: string): number {
    return this.here.get(tenant) ?? 0;
  }

  /** A connection of the tenant has gone. */
  gone(tenant: string): void {
    const left = this.countHere(tenant) - 1;
    if (left > 0) this.here.set(tenant, left);
    else this.here.delete(tenant);
  }
}

const NOWHERE: Place = { release: () => undefined };

/** A place that counts for its tenant until it is given back. */
class CountedPlace implements Place {
  private held = true;

  constructor(
    private readonly tenant: string,
    private readonly place: Place,
    private readonly presence: Pick<Presence, 'gone'>,
  ) {}

  release(): void {
    if (!this.held) return;
    this.held = false;
    this.presence.gone(this.tenant);
    this.place.release();
  }
}

/** A connection as others see it. */
export function presenceEntry(
  { client, role }: Introduction,
  place: { readonly connId: string; readonly gateway: string; readonly user: string; readonly scopes: readonly string[]; readonly ts: number },
): PresenceEntry {
  return {
    ...place,
    roles: [role],
    mode: client.mode,
    platform: client.platform,
    version: client.version,
    text: `${client.displayName ?? client.id} (${client.mode})`,
    ...(client.instanceId === undefined ? {} : { instanceId: client.instanceId }),
  };
}
