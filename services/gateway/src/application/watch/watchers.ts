import { ownerKey } from '../../domain/caller.js';
import type { Connections } from '../connections.js';

/** One user's view of one session; `owner` differs from `user` where the session is shared. */
export interface WatchPlace {
  readonly tenant: string;
  readonly user: string;
  readonly owner: string;
  readonly sessionKey: string;
}

/** Who looks at sessions through this process: event streams of one session, and client sockets that see it. */
export class Watchers {
  private readonly streams = new Map<string, number>();

  constructor(private readonly connections: Pick<Connections, 'ofOwner' | 'followersOf'>) {}

  /** Notes an event stream; returns how to take it back, once. */
  addStream(place: WatchPlace): () => void {
    const key = keyOf(place);
    this.streams.set(key, (this.streams.get(key) ?? 0) + 1);
    let noted = true;
    return () => {
      if (!noted) return;
      noted = false;
      const left = (this.streams.get(key) ?? 1) - 1;
      if (left > 0) this.streams.set(key, left);
      else this.streams.delete(key);
    };
  }

  isWatched(place: WatchPlace): boolean {
    if (this.streams.has(keyOf(place))) return true;
    const { tenant, user, owner, sessionKey } = place;
    const followers = owner === user ? undefined : this.connections.followersOf(ownerKey(tenant, owner), sessionKey);
    for (const connection of this.connections.ofOwner(ownerKey(tenant, user))) {
      if (!connection.open || !connection.mayReceive('chat')) continue;
      if (followers === undefined ? connection.wantsSession(sessionKey) : followers.has(connection)) return true;
    }
    return false;
  }
}

const keyOf = ({ tenant, user, owner, sessionKey }: WatchPlace): string => [tenant, user, owner, sessionKey].join('\u0000');
