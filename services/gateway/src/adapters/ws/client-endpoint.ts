import type { IncomingMessage } from 'node:http';
import type { BlockList } from 'node:net';
import type { Duplex } from 'node:stream';
import { CLOSE_CODES } from '@plexus/client-protocol';
import type { Clock } from '@plexus/kernel';
import { WebSocketServer } from 'ws';
import type { ClientConnection } from '../../application/client-connection.js';
import { shareEvent } from '../../application/client-connection.js';
import type { ClientHandshake } from '../../application/client-handshake.js';
import type { Connections } from '../../application/connections.js';
import type { InboxFeeds } from '../../application/inbox-feeds.js';
import type { MethodServices } from '../../application/methods/method-context.js';
import type { Log } from '../../application/ports.js';
import { type DispatchLimits, RequestDispatcher, type Traced } from '../../application/request-dispatcher.js';
import { clientAddress } from '../../domain/client-address.js';
import { isLoopback } from '../../domain/failure-limit.js';
import type { UsageLimits } from '../../domain/request-rates.js';
import { ClientSocket, type ClientSocketEvents, type ClientSocketOptions } from './client-socket.js';
import { overWindow } from './over-window.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import { SERVER_OPTIONS } from './ws-internals.js';

export interface ClientEndpointOptions extends ClientSocketOptions {
  readonly maxUnauthenticated: number;
  readonly maxRequests: number;
  readonly trustedProxies: BlockList;
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  readonly usage: UsageLimits;
}

export interface SocketMetrics {
  opened(kind: 'client' | 'vm'): void;
  closed(kind: 'client' | 'vm', code: number): void;
  frame(kind: 'client' | 'vm', direction: 'received' | 'sent'): void;
}

/** The client protocol on `/` and `/ws`: accepts sockets, and keeps them until they go. */
export class ClientEndpoint implements ClientSocketEvents {
  private readonly server = new WebSocketServer(SERVER_OPTIONS);
  private readonly sockets = new Set<ClientSocket>();
  /** Sockets per address that have not said hello. */
  private readonly waiting = new Map<string, number>();
  private draining = false;
  /** Since the start: connections that had to catch up, events that were not sent to one that is behind, connections closed because they did not read. */
  readonly counters = { lagged: 0, missed: 0, slow: 0 };

  constructor(
    private readonly handshake: ClientHandshake,
    private readonly services: MethodServices,
    private readonly connections: Connections,
    private readonly inboxes: InboxFeeds,
    private readonly options: ClientEndpointOptions,
    private readonly traced: Traced,
    private readonly metrics: SocketMetrics,
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  get size(): number {
    return this.sockets.size;
  }

  all(): Iterable<ClientSocket> {
    return this.sockets;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = clientAddress(request.socket.remoteAddress ?? '', request.headers['x-forwarded-for'], this.options.trustedProxies);
    if (this.draining) {
      refuseUpgrade(socket, 503, 'The gateway is restarting');
      return;
    }
    if ((this.waiting.get(address) ?? 0) >= this.options.maxUnauthenticated) {
      refuseUpgrade(socket, 503, 'Too many unauthenticated sockets');
      return;
    }
    // The answer to the upgrade and the challenge behind it leave in one write.
    socket.cork();
    this.server.handleUpgrade(request, socket, head, (ws) => {
      this.waiting.set(address, (this.waiting.get(address) ?? 0) + 1);
      this.metrics.opened('client');
      this.sockets.add(new ClientSocket(ws, socket, request, address, this.handshake, this.options, this));
    });
    socket.uncork();
  }

  onOpen(connection: ClientConnection): RequestDispatcher {
    this.noLongerWaiting(connection.remoteAddress);
    this.connections.add(connection);
    this.inboxes.join(connection);
    if (connection.role === 'node') this.services.nodes.join(connection);
    return new RequestDispatcher(connection, this.services, this.limitsOf(connection), this.traced, this.log);
  }

  private limitsOf({ remoteAddress, credential: { tenant, user } }: ClientConnection): DispatchLimits {
    const { maxRequests, messagesPerSecond, messageBurst, usage } = this.options;
    if (isLoopback(remoteAddress)) return { maxRequests };
    const who = { tenant, user, address: remoteAddress };
    return { maxRequests, messagesPerSecond, messageBurst, usage: (bytes) => usage.take(who, bytes) };
  }

  onClosed(socket: ClientSocket, connection: ClientConnection | undefined, code: number, byUs: boolean): void {
    this.sockets.delete(socket);
    this.metrics.closed('client', code);
    if (connection === undefined) {
      this.noLongerWaiting(socket.remoteAddress);
      return;
    }
    this.connections.remove(connection);
    this.inboxes.leave(connection);
    if (connection.role === 'node') this.services.nodes.leave(connection);
    const { tenant, user } = connection.principal;
    if (!byUs && user !== undefined) this.services.watchedRuns.left({ tenant, user, kind: 'socket' });
  }

  onFrames(direction: 'received' | 'sent'): void {
    this.metrics.frame('client', direction);
  }

  onLagging(connection: ClientConnection): void {
    this.counters.lagged += 1;
    this.inboxes.lag(connection);
  }

  onMissed(count: number): void {
    this.counters.missed += count;
  }

  onSlow(): void {
    this.counters.slow += 1;
  }

  /**
   * Tells everybody that we go, and closes with 1012, the oldest first and evenly over the window: real clients come back at once, all of them. Until its
   * turn a connection works as ever. Resolves when the sockets are closed, at the latest when the signal aborts.
   */
  async drain(signal: AbortSignal, windowMs: number): Promise<void> {
    this.draining = true;
    const said = { reason: 'gateway stopping', restartExpectedMs: 5_000, ...(windowMs > 0 && { spreadMs: windowMs }) };
    const shutdown = shareEvent('shutdown', said, false, { paced: true });
    const sockets = [...this.sockets];
    for (const socket of sockets) if (socket.connection !== undefined) socket.event(shutdown);
    await overWindow(sockets, windowMs, (socket) => socket.close(CLOSE_CODES.restart, 'service restart'), this.clock, signal);
    // Whoever was in the middle of an upgrade.
    for (const socket of this.sockets) socket.close(CLOSE_CODES.restart, 'service restart');
    while (this.sockets.size > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const socket of this.sockets) socket.terminate();
  }

  private noLongerWaiting(address: string): void {
    const left = (this.waiting.get(address) ?? 1) - 1;
    if (left > 0) this.waiting.set(address, left);
    else this.waiting.delete(address);
  }
}
