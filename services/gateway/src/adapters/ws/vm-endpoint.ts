import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '@plexus/kernel';
import { CLOSE_CODES } from '@plexus/vm-protocol';
import { WebSocketServer } from 'ws';
import type { VmConnections } from '../../application/vm/vm-connections.js';
import type { VmServices } from '../../application/vm/vm-ports.js';
import type { SocketMetrics } from './client-endpoint.js';
import { overWindow } from './over-window.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import { SERVER_OPTIONS } from './ws-internals.js';
import { VmSocket, type VmSocketEvents, type VmSocketOptions } from './vm-socket.js';

/** Leases run out by themselves: a scheduler that is away is not waited for any longer than this. */
const SETTLE_MS = 1_000;

/** The VM protocol on `/ws/vm`. */
export class VmEndpoint implements VmSocketEvents {
  private readonly server = new WebSocketServer(SERVER_OPTIONS);
  private readonly sockets = new Set<VmSocket>();
  private draining = false;

  constructor(
    private readonly connections: VmConnections,
    private readonly services: VmServices,
    private readonly options: VmSocketOptions & { readonly maxSockets: number },
    private readonly metrics: SocketMetrics,
  ) {}

  get size(): number {
    return this.sockets.size;
  }

  all(): Iterable<VmSocket> {
    return this.sockets;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, query: URLSearchParams): void {
    if (this.draining || this.sockets.size >= this.options.maxSockets) {
      refuseUpgrade(socket, 503, this.draining ? 'The gateway is restarting' : 'Too many VM sockets');
      return;
    }
    this.server.handleUpgrade(request, socket, head, (ws) => {
      this.metrics.opened('vm');
      const identity = { userId: query.get('user_id') || undefined, ticket: query.get('ticket') || undefined };
      this.sockets.add(new VmSocket(ws, identity, this.connections, this.services, this.options, this));
    });
  }

  onClosed(socket: VmSocket, code: number): void {
    this.sockets.delete(socket);
    this.metrics.closed('vm', code);
  }

  onFrames(direction: 'received' | 'sent'): void {
    this.metrics.frame('vm', direction);
  }

  /**
   * Over the window, the oldest first: moves the VM's mark and closes with 1012, so that it moves to another gateway at once; until its turn a VM works as
   * ever. Then waits for the sockets to go.
   */
  async drain(signal: AbortSignal, windowMs: number, clock: Clock): Promise<void> {
    this.draining = true;
    const leaving: Promise<void>[] = [];
    await overWindow(this.connections.all, windowMs, (connection) => leaving.push(this.connections.release(connection)), clock, signal);
    await Promise.all(leaving);
    // Whoever was not admitted yet.
    for (const socket of this.sockets) socket.close(CLOSE_CODES.serviceRestart);
    while (this.sockets.size > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const socket of this.sockets) socket.terminate();
    await this.connections.settled(AbortSignal.any([signal, AbortSignal.timeout(SETTLE_MS)]));
  }
}
