import type { ClientConnection } from './client-connection.js';

const NOBODY: ReadonlySet<ClientConnection> = new Set();

/** The clients of this process after their hello, by owner and by tenant. */
export class Connections {
  private readonly everybody = new Map<string, ClientConnection>();
  private readonly owners = new Map<string, Set<ClientConnection>>();
  private readonly tenantWatchers = new Map<string, Set<ClientConnection>>();
  private readonly followers = new Map<string, Set<ClientConnection>>();

  add(connection: ClientConnection): void {
    this.everybody.set(connection.id, connection);
    put(this.owners, connection.owner, connection);
    if (connection.watchesTenant) put(this.tenantWatchers, connection.principal.tenant, connection);
  }

  remove(connection: ClientConnection): void {
    this.everybody.delete(connection.id);
    take(this.owners, connection.owner, connection);
    take(this.tenantWatchers, connection.principal.tenant, connection);
    if (connection.followsOthers) for (const followed of connection.followed) take(this.followers, followed, connection);
  }

  /** Has a connection see a session that is shared with its user; `owner` as `ownerKey` writes it. */
  follow(connection: ClientConnection, owner: string, sessionKey: string): void {
    const followed = followKey(owner, sessionKey);
    connection.followed.add(followed);
    put(this.followers, followed, connection);
  }

  unfollow(connection: ClientConnection, owner: string, sessionKey: string): void {
    const followed = followKey(owner, sessionKey);
    connection.followed.delete(followed);
    take(this.followers, followed, connection);
  }

  /** Connections that see this session of another user. */
  followersOf(owner: string, sessionKey: string): ReadonlySet<ClientConnection> {
    return this.followers.size === 0 ? NOBODY : (this.followers.get(followKey(owner, sessionKey)) ?? NOBODY);
  }

  get size(): number {
    return this.everybody.size;
  }

  all(): IterableIterator<ClientConnection> {
    return this.everybody.values();
  }

  ofOwner(owner: string): ReadonlySet<ClientConnection> {
    return this.owners.get(owner) ?? NOBODY;
  }

  /** Connections that see everybody's events of the tenant. */
  watchersOf(tenant: string): ReadonlySet<ClientConnection> {
    return this.tenantWatchers.get(tenant) ?? NOBODY;
  }
}

const followKey = (owner: string, sessionKey: string): string => `${owner}\u0000${sessionKey}`;

function put(index: Map<string, Set<ClientConnection>>, key: string, connection: ClientConnection): void {
  const set = index.get(key);
  if (set === undefined) index.set(key, new Set([connection]));
  else set.add(connection);
}

function take(index: Map<string, Set<ClientConnection>>, key: string, connection: ClientConnection): void {
  const set = index.get(key);
  if (set?.delete(connection) === true && set.size === 0) index.delete(key);
}
