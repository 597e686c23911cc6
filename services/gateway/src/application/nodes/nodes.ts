import { plexusError } from '@plexus/contracts';
import { type NodeRecord, nodeRecord } from '../../domain/node-view.js';
import { type ClientConnection, shareEvent } from '../client-connection.js';
import type { Log } from '../ports.js';
import type { Invocation, Invocations, NodeAnswer } from './invocations.js';
import type { Audience, LocalNodes } from './local-nodes.js';

/** The nodes of all gateways, and the way to those that are connected elsewhere. */
export interface NodeDirectory {
  /** Writes that the node is here, or (without a gateway) that it has gone; an older connection never replaces a newer one. */
  save(tenant: string, record: NodeRecord): void;
  /** Nodes of a user, or of the whole tenant; those whose gateway is dead count as not connected. */
  list(tenant: string, user: string | undefined): Promise<NodeRecord[]>;
  /** Has another gateway run it. */
  invokeAt(gateway: string, tenant: string, user: string, invocation: Invocation, signal: AbortSignal): Promise<NodeAnswer>;
  /** Tells the other gateways about an event for nodes. */
  broadcast(tenant: string, audience: Audience, event: string, payloadJSON: string): void;
}

/** Whose nodes a caller may use: its own, or as an administrator those of its tenant. */
export interface NodeCaller {
  readonly tenant: string;
  readonly user: string | undefined;
  readonly admin: boolean;
}

/** Nodes: devices that lend their abilities. Any gateway lists and reaches all of them. */
export class Nodes {
  constructor(
    private readonly local: LocalNodes,
    private readonly invocations: Invocations,
    private readonly directory: NodeDirectory,
    private readonly gatewayId: string,
    private readonly log: Pick<Log, 'debug'>,
  ) {}

  join(node: ClientConnection): void {
    const before = this.local.add(node);
    if (before !== undefined) this.invocations.left(before);
    this.directory.save(node.principal.tenant, this.recordOf(node, this.gatewayId));
  }

  leave(node: ClientConnection): void {
    this.local.remove(node);
    this.invocations.left(node);
    this.directory.save(node.principal.tenant, this.recordOf(node, undefined));
  }

  subscribe(node: ClientConnection, sessionKey: string): boolean {
    return this.local.subscribe(node, sessionKey);
  }

  unsubscribe(node: ClientConnection, sessionKey: string): void {
    this.local.unsubscribe(node, sessionKey);
  }

  /** A node answers a command. False when nobody waits for that. */
  answered(node: ClientConnection, id: string, answer: NodeAnswer): boolean {
    return this.invocations.settle(node, id, answer);
  }

  list(caller: NodeCaller): Promise<NodeRecord[]> {
    return this.directory.list(caller.tenant, caller.admin ? undefined : caller.user);
  }

  /** Runs a command on a node of the caller, wherever it is connected. */
  async invoke(caller: NodeCaller, invocation: Invocation, signal: AbortSignal): Promise<NodeAnswer> {
    const here = caller.user === undefined ? undefined : this.local.find(caller.tenant, caller.user, invocation.nodeId);
    if (here !== undefined) return this.invocations.run(here, invocation, signal);
    const known = (await this.list(caller)).filter(({ nodeId }) => nodeId === invocation.nodeId);
    const node = known.find(({ gateway }) => gateway !== undefined) ?? known[0];
    if (node === undefined) throw plexusError('PAIRING_CHANGED', { message: 'no node of this name is known' });
    if (node.gateway === undefined) throw plexusError('NOT_CONNECTED', { message: 'the node is not connected' });
    if (node.gateway !== this.gatewayId) return this.directory.invokeAt(node.gateway, caller.tenant, node.user, invocation, signal);
    return this.invokeHere(caller.tenant, node.user, invocation, signal);
  }

  /** Another gateway asks for a node that is connected here. */
  invokeHere(tenant: string, user: string, invocation: Invocation, signal: AbortSignal): Promise<NodeAnswer> {
    const node = this.local.find(tenant, user, invocation.nodeId);
    if (node === undefined) throw plexusError('NOT_CONNECTED', { message: 'the node is not connected' });
    return this.invocations.run(node, invocation, signal);
  }

  /**
   * Sends an event to the nodes that subscribed to a session, to those that subscribed to any, or to all of the tenant, on every gateway.
   * The payload is written once here and the same bytes go to every socket. Best effort, like every event of the protocol.
   */
  send(tenant: string, audience: Audience, event: string, payload: unknown): void {
    this.local.send(tenant, audience, shareEvent(event, payload));
    try {
      this.directory.broadcast(tenant, audience, event, JSON.stringify(payload ?? null));
    } catch (error) {
      this.log.debug({ error, event }, 'an event for nodes did not leave this gateway');
    }
  }

  /** An event for nodes from another gateway. */
  deliver(tenant: string, audience: Audience, event: string, payload: unknown): void {
    this.local.send(tenant, audience, shareEvent(event, payload));
  }

  private recordOf(node: ClientConnection, gateway: string | undefined): NodeRecord {
    const { gateway: _, ...record } = nodeRecord(node.introduction, {
      connId: node.id,
      gateway: this.gatewayId,
      user: node.principal.user ?? '',
      connectedAt: node.connectedAt,
      remoteIp: node.remoteAddress,
    });
    return gateway === undefined ? record : { ...record, gateway };
  }
}
