import { plexusError } from '@plexus/contracts';

/** Who asked has given up by then: what is done so late would surprise everybody. */
const LONGEST_WAIT_MS = 30_000;

/**
 * Work of one connection that must happen in the order in which it was asked for: what concerns one session takes turns, what concerns others goes beside it.
 * Bounded by the requests that a connection may have running.
 */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  /** `now`: a clock that never goes back, ms. */
  constructor(private readonly now: () => number) {}

  /**
   * Does the work behind all work of this name that was given before; without a name: behind all there is. Rejects with UNAVAILABLE, and does nothing, when
   * its turn came too late.
   */
  take<T>(name: string | undefined, work: () => Promise<T>): Promise<T> {
    const until = this.now() + LONGEST_WAIT_MS;
    const inTime = (): Promise<T> => {
      if (this.now() <= until) return work();
      return Promise.reject(plexusError('UNAVAILABLE', { message: 'what this connection asked of the session before takes too long; nothing was done' }));
    };
    if (name === undefined) return this.last.size === 0 ? work() : Promise.allSettled(this.last.values()).then(inTime);
    const before = this.last.get(name);
    const mine = before === undefined ? work() : before.then(inTime, inTime);
    this.last.set(name, mine);
    const done = () => {
      if (this.last.get(name) === mine) this.last.delete(name);
    };
    mine.then(done, done);
    return mine;
  }
}

/** How a client names a session. */
export interface NamedSession {
  readonly sessionKey?: string | undefined;
  readonly agentId?: string | undefined;
  readonly owner?: string | undefined;
}

/** One name for the spellings of a session's key that clients use beside each other (`main`, `agent:main:main`); routing knows all of them. */
export function turnName({ sessionKey = '', agentId, owner = '' }: NamedSession, place: { readonly agentId: string; readonly mainKey: string }): string {
  const key = sessionKey.trim().toLowerCase() || 'main';
  const full = key.startsWith('agent:') ? key : `agent:${(agentId?.trim() || place.agentId).toLowerCase()}:${key}`;
  return `${owner}\u0000${full.replace(/^(agent:[^:]*):main$/, `$1:${place.mainKey.toLowerCase()}`)}`;
}
