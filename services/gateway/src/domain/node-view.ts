import type { Introduction } from './introduction.js';

/** What is remembered of a node, also after it has gone. Plain data: it is stored. */
export interface NodeRecord {
  readonly nodeId: string;
  readonly user: string;
  readonly displayName?: string;
  readonly platform: string;
  readonly version: string;
  readonly deviceFamily?: string;
  readonly modelIdentifier?: string;
  readonly caps: readonly string[];
  readonly commands: readonly string[];
  readonly permissions?: Readonly<Record<string, boolean>>;
  readonly pathEnv?: string;
  readonly remoteIp?: string;
  /** Wall clock, ms. */
  readonly connectedAt: number;
  /** Gateway that holds it; absent when it is not connected. */
  readonly gateway?: string;
  /** Its connection there: a newer one takes the place of an older. */
  readonly connId: string;
}

const MAX_NODE_ID = 256;

/**
 * Name of a node among those of its user. The device id is a name here and proves nothing: the credential says whose node it is, so a
 * borrowed device id reaches nothing of another user.
 */
export function nodeIdOf({ deviceId, client }: Introduction, connId: string): string {
  return (deviceId ?? client.instanceId ?? connId).slice(0, MAX_NODE_ID);
}

/** A node as it introduced itself. */
export function nodeRecord(
  introduction: Introduction,
  place: { connId: string; gateway: string; user: string; connectedAt: number; remoteIp: string },
): NodeRecord {
  const { client, caps, node } = introduction;
  const { connId, gateway, user, connectedAt, remoteIp } = place;
  return {
    nodeId: nodeIdOf(introduction, connId),
    user,
    ...(client.displayName === undefined ? {} : { displayName: client.displayName }),
    platform: client.platform,
    version: client.version,
    ...(client.deviceFamily === undefined ? {} : { deviceFamily: client.deviceFamily }),
    ...(client.modelIdentifier === undefined ? {} : { modelIdentifier: client.modelIdentifier }),
    caps: [...caps].slice(0, 256),
    commands: (node?.commands ?? []).slice(0, 512),
    ...(node?.permissions === undefined ? {} : { permissions: node.permissions }),
    ...(node?.pathEnv === undefined ? {} : { pathEnv: node.pathEnv.slice(0, 4_096) }),
    remoteIp,
    connectedAt,
    gateway,
    connId,
  };
}

/** A row of `node.list`, as clients read it. */
export function nodeRow({ gateway, connId: _, pathEnv: __, connectedAt, ...node }: NodeRecord): Record<string, unknown> {
  return { ...node, paired: true, connected: gateway !== undefined, connectedAtMs: connectedAt };
}
