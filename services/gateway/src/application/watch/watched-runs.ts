import type { Principal } from '@plexus/contracts';
import type { Clock, Timer } from '@plexus/kernel';
import { ownerKey } from '../../domain/caller.js';
import type { Log } from '../ports.js';
import type { WatchPlace } from './watchers.js';

/** How people watch: an event stream of one session, or a client socket. */
export type WatchKind = 'stream' | 'socket';

/** A run that is only worth something while somebody watches it. */
export interface StartedRun {
  /** Whoever started it; it is cancelled in this name. */
  readonly principal: Principal;
  readonly owner: string;
  readonly sessionKey: string;
  readonly runId: string;
  /** Which kind of watcher may leave it behind: a message over HTTP is watched by streams, one over a socket by sockets. */
  readonly via: WatchKind;
  /** The socket that started it; it watches whatever it subscribed to. */
  readonly starter?: { readonly open: boolean };
}

/** Watchers of one kind went away: of one session (streams), or of everything that a user sees (sockets). */
export interface Leaving {
  readonly tenant: string;
  readonly user: string;
  readonly kind: WatchKind;
  readonly session?: { readonly owner: string; readonly sessionKey: string };
}

/** The other gateways. */
export interface Peers {
  /** Tells them that watchers left here: the one that accepted the run may be another. */
  tell(leaving: Leaving): void;
  /** Whether anybody watches there. Rejects when that cannot be found out. */
  isWatched(place: WatchPlace): Promise<boolean>;
}

export interface WatchedRunsParts {
  readonly isWatched: (place: WatchPlace) => boolean;
  readonly peers: Peers;
  readonly cancel: (run: StartedRun) => Promise<void>;
  /** Calls back at the end of a run; `owner` as `ownerKey` writes it. */
  readonly onRunEnd: (owner: string, runId: string, listener: () => void) => () => void;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

interface Entry {
  readonly run: StartedRun;
  readonly place: WatchPlace;
  readonly forget: () => void;
  grace: Timer | undefined;
}

/** Runs that are remembered; of more than this the oldest simply go on. */
const MAX_RUNS = 50_000;

/**
 * Cancels runs that nobody watches any more. The gateway that accepted a message remembers it; when watchers leave, here or on another
 * gateway, and nobody is left after a grace, the run is cancelled. Whenever anything is uncertain (this gateway restarted, another does not
 * answer) the run goes on.
 */
export class WatchedRuns {
  private readonly entries = new Map<string, Entry>();
  private readonly byUser = new Map<string, Map<string, Entry>>();
  private stopped = false;

  constructor(private readonly parts: WatchedRunsParts) {}

  get size(): number {
    return this.entries.size;
  }

  /** Remembers a run that was accepted here. The same run again is no other. */
  started(run: StartedRun): void {
    const { tenant, user } = run.principal;
    if (user === undefined || this.stopped) return;
    const owner = ownerKey(tenant, run.owner);
    const key = `${owner}\u0000${run.runId}`;
    this.drop(key);
    const stopListening = this.parts.onRunEnd(owner, run.runId, () => this.drop(key));
    const place = { tenant, user, owner: run.owner, sessionKey: run.sessionKey };
    const entry: Entry = { run, place, forget: stopListening, grace: undefined };
    this.entries.set(key, entry);
    const mine = this.byUser.get(ownerKey(tenant, user)) ?? new Map<string, Entry>();
    this.byUser.set(ownerKey(tenant, user), mine.set(key, entry));
    if (this.entries.size > MAX_RUNS) this.drop(this.entries.keys().next().value as string);
    if (run.starter?.open === false) this.beginGrace(key, entry);
  }

  /** Watchers left this gateway by themselves: their peer went away, nobody here closed them. */
  left(leaving: Leaving): void {
    this.heard(leaving);
    this.parts.peers.tell(leaving);
  }

  /** The same on another gateway. */
  heard({ tenant, user, kind, session }: Leaving): void {
    for (const [key, entry] of this.byUser.get(ownerKey(tenant, user)) ?? []) {
      const { place, run } = entry;
      if (run.via !== kind) continue;
      if (session !== undefined && (session.owner !== place.owner || session.sessionKey !== place.sessionKey)) continue;
      this.beginGrace(key, entry);
    }
  }

  /** Forgets everything; runs go on. */
  stop(): void {
    this.stopped = true;
    for (const key of [...this.entries.keys()]) this.drop(key);
  }

  /** Counts from the last leaving on: who came back and left again has the whole grace again. */
  private beginGrace(key: string, entry: Entry): void {
    entry.grace?.cancel();
    entry.grace = undefined;
    if (this.isWatchedHere(entry)) return;
    const grace = this.parts.clock.setTimeout(() => {
      void this.decide(key, entry, grace);
    }, this.parts.graceMs);
    entry.grace = grace;
  }

  private async decide(key: string, entry: Entry, grace: Timer): Promise<void> {
    const isOver = () => this.entries.get(key) !== entry || entry.grace !== grace;
    const { run, place } = entry;
    try {
      if (isOver() || this.isWatchedHere(entry)) return;
      const elsewhere = await this.parts.peers.isWatched(place);
      if (elsewhere || isOver() || this.isWatchedHere(entry)) return;
      this.drop(key);
      this.parts.log.info({ runId: run.runId, sessionKey: run.sessionKey }, 'nobody watches a run any more; it is cancelled');
      await this.parts.cancel(run);
    } catch (error) {
      this.parts.log.warn({ error, runId: run.runId }, 'a run that nobody seems to watch could not be cancelled and goes on');
    } finally {
      if (entry.grace === grace) entry.grace = undefined;
    }
  }

  private isWatchedHere({ run, place }: Entry): boolean {
    return run.starter?.open === true || this.parts.isWatched(place);
  }

  private drop(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    const user = ownerKey(entry.place.tenant, entry.place.user);
    const mine = this.byUser.get(user);
    if (mine?.delete(key) === true && mine.size === 0) this.byUser.delete(user);
    entry.forget();
    entry.grace?.cancel();
    entry.grace = undefined;
  }
}
