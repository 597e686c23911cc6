import { ownerKey } from '../../domain/caller.js';
import { nodeIdOf } from '../../domain/node-view.js';
import type { ClientConnection, SharedEvent } from '../client-connection.js';

/** Which of this process's nodes an event is for. */
export type Audience =
  | { readonly kind: 'session'; readonly owner: string; readonly sessionKey: string }
  | { readonly kind: 'subscribed' }
  | { readonly kind: 'connected' };

/** Sessions that one node may watch at once. */
export const MAX_SUBSCRIPTIONS = 1_000;

/** The nodes connected to this process, and which sessions they subscribed to: node ↔ session key, found from either side. */
export class LocalNodes {
  private readonly byName = new Map<string, ClientConnection>();
  private readonly bySession = new Map<string, Set<ClientConnection>>();
  private readonly byTenant = new Map<string, Set<ClientConnection>>();

  /** Takes a node in; returns the connection that had its name before. */
  add(node: ClientConnection): ClientConnection | undefined {
    const name = nameOf(node.owner, nodeIdOf(node.introduction, node.id));
    const before = this.byName.get(name);
    this.byName.set(name, node);
    put(this.byTenant, node.principal.tenant, node);
    return before;
  }

  remove(node: ClientConnection): void {
    const name = nameOf(node.owner, nodeIdOf(node.introduction, node.id));
    if (this.byName.get(name) === node) this.byName.delete(name);
    take(this.byTenant, node.principal.tenant, node);
    for (const sessionKey of node.watchedSessions) take(this.bySession, nameOf(node.owner, sessionKey), node);
    node.watchedSessions.clear();
  }

  find(tenant: string, user: string, nodeId: string): ClientConnection | undefined {
    return this.byName.get(nameOf(ownerKey(tenant, user), nodeId));
  }

  /** Events of the session reach the node from now on. False when it watches too many. */
  subscribe(node: ClientConnection, sessionKey: string): boolean {
    if (node.watchedSessions.size >= MAX_SUBSCRIPTIONS && !node.watchedSessions.has(sessionKey)) return false;
    node.watchedSessions.add(sessionKey);
    put(this.bySession, nameOf(node.owner, sessionKey), node);
    return true;
  }

  unsubscribe(node: ClientConnection, sessionKey: string): void {
    node.watchedSessions.delete(sessionKey);
    take(this.bySession, nameOf(node.owner, sessionKey), node);
  }

  /** Writes the same bytes to every node that is meant; returns to how many. */
  send(tenant: string, audience: Audience, event: SharedEvent): number {
    let count = 0;
    for (const node of this.audienceOf(tenant, audience)) {
      node.sendToNode(event);
      count += 1;
    }
    return count;
  }

  private audienceOf(tenant: string, audience: Audience): Iterable<ClientConnection> {
    if (audience.kind === 'session') return this.bySession.get(nameOf(ownerKey(tenant, audience.owner), audience.sessionKey)) ?? [];
    const all = this.byTenant.get(tenant) ?? [];
    return audience.kind === 'connected' ? all : [...all].filter((node) => node.watchedSessions.size > 0);
  }
}

const nameOf = (owner: string, name: string): string => `${owner}\u0000${name}`;

function put(index: Map<string, Set<ClientConnection>>, key: string, node: ClientConnection): void {
  const set = index.get(key);
  if (set === undefined) index.set(key, new Set([node]));
  else set.add(node);
}

function take(index: Map<string, Set<ClientConnection>>, key: string, node: ClientConnection): void {
  const set = index.get(key);
  if (set?.delete(node) === true && set.size === 0) index.delete(key);
}
