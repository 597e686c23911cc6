import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const MAX_HELD_BYTES = 1024 * 1024;

/**
 * Passes TCP connections on, to one target after the other where there are several: a dumb balancer that knows nothing of what it carries and skips
 * only a target that does not take the connection. What goes through it can be cut, held back and delayed.
 */
export class TcpProxy {
  private next = 0;
  private delayMs = 0;
  private stalled = false;
  private refusing = false;
  private readonly pairs = new Set<Pair>();

  private constructor(
    private readonly server: Server,
    private readonly targets: readonly number[],
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  /** Listens on a free loopback port for connections to loopback ports. */
  static async start(targets: readonly number[]): Promise<TcpProxy> {
    // With allowHalfOpen the end of one direction is passed on without ending the other.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new TcpProxy(server, targets);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.pairs.size;
  }

  /** Breaks every connection that there is; new ones are taken. With `fraction` about so many of them, drawn by `random`. */
  cut(fraction = 1, random: () => number = Math.random): number {
    const chosen = [...this.pairs].filter(() => fraction >= 1 || random() < fraction);
    for (const pair of chosen) pair.end();
    return chosen.length;
  }

  /** Nothing passes in either direction any more, and nobody is told: what a dead network looks like. False lets everything go on. */
  stall(stalled: boolean): void {
    this.stalled = stalled;
    for (const pair of this.pairs) pair.stall(stalled);
  }

  /** Connections are closed as soon as they are made. */
  refuse(refusing: boolean): void {
    this.refusing = refusing;
  }

  /** Everything arrives so much later, in each direction. 0: at once. */
  delay(delayMs: number): void {
    this.delayMs = delayMs;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(client: Socket): void {
    client.on('error', () => {}); // the pair, or the target's absence, ends it
    if (this.refusing) {
      client.destroy();
      return;
    }
    this.dial(client, this.next++, 0);
  }

  /** Every target is tried once, from `first` on. */
  private dial(client: Socket, first: number, tried: number): void {
    const port = this.targets[(first + tried) % this.targets.length];
    if (tried === this.targets.length || port === undefined || client.destroyed) {
      client.destroy();
      return;
    }
    const target = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    let connected = false;
    target.once('connect', () => {
      connected = true;
      const pair = new Pair(
        client,
        target,
        () => this.delayMs,
        () => this.pairs.delete(pair),
      );
      this.pairs.add(pair);
      pair.stall(this.stalled);
    });
    target.on('error', () => {
      if (!connected) this.dial(client, first, tried + 1);
    });
  }
}

/** Two sockets that are one connection. */
class Pair {
  private readonly directions: readonly Direction[];
  private ended = false;

  constructor(
    private readonly client: Socket,
    private readonly target: Socket,
    delayMs: () => number,
    private readonly onEnd: () => void,
  ) {
    this.directions = [new Direction(client, target, delayMs), new Direction(target, client, delayMs)];
    for (const socket of [client, target]) socket.once('close', () => this.end());
  }

  stall(stalled: boolean): void {
    for (const direction of this.directions) direction.stall(stalled);
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.client.destroy();
    this.target.destroy();
    this.onEnd();
  }
}

/** One direction of a connection: in order, late by what is asked for, with as much back-pressure as the sockets have. */
class Direction {
  private held = 0;
  private releaseAt = 0;
  private stalled = false;
  private full = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    delayMs: () => number,
  ) {
    from.on('data', (chunk: Buffer) => this.pass(() => this.write(chunk), chunk.length, delayMs()));
    from.on('end', () => this.pass(() => to.end(), 0, delayMs()));
    to.on('drain', () => {
      this.full = false;
      this.flow();
    });
  }

  stall(stalled: boolean): void {
    this.stalled = stalled;
    this.flow();
  }

  private pass(action: () => void, bytes: number, delayMs: number): void {
    const now = performance.now();
    // Never before what came earlier, also when the delay is taken away meanwhile.
    this.releaseAt = Math.max(this.releaseAt, now + delayMs);
    if (this.releaseAt <= now) {
      action();
      return;
    }
    this.held += bytes;
    this.flow();
    setTimeout(() => {
      this.held -= bytes;
      action();
      this.flow();
    }, this.releaseAt - now);
  }

  private write(chunk: Buffer): void {
    if (this.to.destroyed) return;
    if (!this.to.write(chunk)) this.full = true;
    this.flow();
  }

  private flow(): void {
    if (this.from.destroyed) return;
    if (this.stalled || this.full || this.held > MAX_HELD_BYTES) this.from.pause();
    else this.from.resume();
  }
}
