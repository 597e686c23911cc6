import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** One address for whoever stands behind it at a time: a server can be replaced by another without giving its port away meanwhile. */
export class Passage {
  /** Who is behind it; undefined: connections are closed as soon as they come. */
  port: number | undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (outside) => {
      if (this.port === undefined) {
        outside.destroy();
        return;
      }
      const inside = connect(this.port, '127.0.0.1');
      for (const [one, other] of [
        [outside, inside],
        [inside, outside],
      ] as const) {
        this.sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  static async open(): Promise<Passage> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Passage(server);
  }

  /** The same URL at this address. */
  url(inside: string): string {
    const url = new URL(inside);
    this.port = Number(url.port);
    url.port = String((this.server.address() as AddressInfo).port);
    return String(url);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
