import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Bytes of one connection, each way. */
interface Recorded {
  readonly up: Buffer[];
  readonly down: Buffer[];
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** Stands between somebody and a server on this machine, and keeps everything that both say. */
export class RecordingProxy {
  private readonly connections: Recorded[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  private constructor(target: () => number) {
    this.server = createServer((near) => {
      const recorded: Recorded = { up: [], down: [] };
      this.connections.push(recorded);
      const far = connect(target(), '127.0.0.1');
      this.hand(near, far, recorded.up);
      this.hand(far, near, recorded.down);
    });
  }

  /** `target`: the port to hand on to; asked for at every connection. */
  static async start(target: () => number): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(target);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** What was said to the server: heads and bodies of HTTP, and what is in the frames of WebSockets. */
  said(): Buffer {
    return Buffer.concat(this.connections.flatMap(({ up }) => unmasked(Buffer.concat(up))));
  }

  /** What the server answered; nothing of it is masked. */
  heard(): Buffer {
    return Buffer.concat(this.connections.flatMap(({ down }) => down));
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private hand(from: Socket, to: Socket, record: Buffer[]): void {
    this.sockets.add(from);
    from.on('data', (bytes: Buffer) => record.push(bytes));
    // Whatever ends one side ends the other.
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  }
}

/** Clients mask what is in their frames: here it is as it was meant. Anything but a WebSocket is left as it is. */
function unmasked(bytes: Buffer): Buffer[] {
  const end = bytes.indexOf(HEAD_END);
  const head = end < 0 ? bytes : bytes.subarray(0, end + HEAD_END.length);
  if (end < 0 || !/upgrade: websocket/i.test(head.toString('latin1'))) return [bytes];
  const parts = [head];
  for (let at = head.length; at + 2 <= bytes.length; ) {
    const masked = (bytes.readUInt8(at + 1) & 0x80) !== 0;
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const start = at + 2 + lengthBytes + (masked ? 4 : 0);
    if (start > bytes.length) break;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (masked) for (let n = 0; n < payload.length; n += 1) payload[n] = (payload[n] as number) ^ bytes.readUInt8(start - 4 + (n % 4));
    parts.push(payload);
    at = start + length;
  }
  return parts;
}
