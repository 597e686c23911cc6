import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Passes TCP connections on to one target after the other. It knows nothing of what it carries and nothing of the health of its targets: one that
 * does not take the connection is skipped, and one that breaks takes its connections with it.
 */
export class Balancer {
  private next = 0;
  private readonly sockets = new Set<Socket>();
  /** Connections that were passed on, by target port. */
  readonly passed = new Map<number, number>();

  private constructor(
    private readonly server: Server,
    public ports: number[],
  ) {
    server.on('connection', (client) => this.pass(client, this.ports.length));
  }

  static async start(urls: readonly string[]): Promise<Balancer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Balancer(
      server,
      urls.map((url) => Number(new URL(url).port)),
    );
  }

  get ws(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get http(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private pass(client: Socket, triesLeft: number): void {
    this.keep(client);
    const port = this.ports[this.next++ % this.ports.length];
    if (port === undefined || triesLeft === 0) {
      client.destroy();
      return;
    }
    const target = connect(port, '127.0.0.1');
    this.keep(target);
    let connected = false;
    target.once('connect', () => {
      connected = true;
      this.passed.set(port, (this.passed.get(port) ?? 0) + 1);
      client.pipe(target).pipe(client);
      target.once('close', () => client.destroy());
      client.once('close', () => target.destroy());
    });
    target.once('error', () => {
      if (!connected) this.pass(client, triesLeft - 1);
    });
  }

  private keep(socket: Socket): void {
    if (this.sockets.has(socket)) return;
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
  }
}
