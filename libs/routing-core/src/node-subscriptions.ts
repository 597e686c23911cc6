/** Sends one event to one node. The payload is serialised already; null where there is none. */
export type NodeSender = (message: { readonly nodeId: string; readonly event: string; readonly payloadJSON: string | null }) => void;

/** Which node listens to which sessions. Ids and keys are trimmed and case-sensitive; blank ones are ignored. */
export class NodeSubscriptions {
  private readonly sessionsOf = new Map<string, Set<string>>();
  private readonly nodesOf = new Map<string, Set<string>>();

  subscribe(nodeId: string, sessionKey: string): void {
    const [node, key] = [nodeId.trim(), sessionKey.trim()];
    if (node === '' || key === '') return;
    link(this.sessionsOf, node, key);
    link(this.nodesOf, key, node);
  }

  unsubscribe(nodeId: string, sessionKey: string): void {
    const [node, key] = [nodeId.trim(), sessionKey.trim()];
    unlink(this.sessionsOf, node, key);
    unlink(this.nodesOf, key, node);
  }

  unsubscribeAll(nodeId: string): void {
    const node = nodeId.trim();
    for (const key of this.sessionsOf.get(node) ?? []) unlink(this.nodesOf, key, node);
    this.sessionsOf.delete(node);
  }

  sendToSession(sessionKey: string, event: string, payload: unknown, send?: NodeSender | null): void {
    broadcast(this.nodesOf.get(sessionKey.trim()) ?? [], event, payload, send);
  }

  /** Every node that listens to anything, once. */
  sendToAllSubscribed(event: string, payload: unknown, send?: NodeSender | null): void {
    broadcast(this.sessionsOf.keys(), event, payload, send);
  }

  /** The nodes of the list, whatever they listen to. */
  sendToAllConnected(nodeIds: Iterable<string>, event: string, payload: unknown, send?: NodeSender | null): void {
    broadcast(nodeIds, event, payload, send);
  }
}

/** Serialises once, however many nodes there are. */
function broadcast(nodeIds: Iterable<string>, event: string, payload: unknown, send: NodeSender | null | undefined): void {
  if (!send) return;
  let payloadJSON: string | null | undefined;
  for (const nodeId of nodeIds) {
    payloadJSON ??= payload ? (JSON.stringify(payload) ?? null) : null;
    send({ nodeId, event, payloadJSON });
  }
}

function link(map: Map<string, Set<string>>, from: string, to: string): void {
  const known = map.get(from);
  if (known) known.add(to);
  else map.set(from, new Set([to]));
}

function unlink(map: Map<string, Set<string>>, from: string, to: string): void {
  const known = map.get(from);
  if (known?.delete(to) && known.size === 0) map.delete(from);
}
