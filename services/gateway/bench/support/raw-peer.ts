import { connect, type Socket } from 'node:net';

/** Where a server listens, and with which token a client comes in; without one it says no hello. */
export interface Target {
  readonly port: number;
  readonly token: string | undefined;
  /** Source address, when there are more connections than one address has ports. */
  readonly from?: string;
}

const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0x8a;
const HELLO = Buffer.from('"ok":true');
const EVENT = Buffer.from('{"type":"event"');

/**
 * A client that is as cheap as one can be: a socket, frames told apart by their headers, pings answered. The same for every server that is compared, so that
 * the server is what is measured.
 */
export class RawPeer {
  /** Events that hold {@link marker}; all events without one. */
  events = 0;
  pings = 0;
  closed = false;
  marker: Buffer | undefined;
  private rest: Buffer | undefined;
  private upgraded = false;
  private phase: 'upgrade' | 'challenge' | 'hello' | 'open' = 'upgrade';

  readonly socket: Socket;
  private readonly target: Target;
  private readonly opened: (error?: Error) => void;

  private constructor(socket: Socket, target: Target, opened: (error?: Error) => void) {
    this.socket = socket;
    this.target = target;
    this.opened = opened;
    socket.on('data', (data) => this.read(data));
    socket.on('close', () => this.end());
    socket.on('error', () => undefined);
  }

  static open(target: Target): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const { port, from } = target;
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, ...(from && { localAddress: from }) }, () => socket.write(upgradeOf(port)));
      const peer: RawPeer = new RawPeer(socket, target, (error) => (error === undefined ? resolve(peer) : reject(error)));
    });
  }

  send(text: string): void {
    this.socket.write(masked(0x81, Buffer.from(text)));
  }

  close(): void {
    this.socket.destroy();
  }

  private end(): void {
    this.closed = true;
    if (this.phase !== 'open') this.opened(new Error(`the socket was closed at the ${this.phase}`));
  }

  private read(chunk: Buffer): void {
    let data = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk]);
    this.rest = undefined;
    if (!this.upgraded) {
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) {
        this.rest = data;
        return;
      }
      if (!data.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
        this.socket.destroy();
        return;
      }
      this.upgraded = true;
      this.phase = this.target.token === undefined ? 'open' : 'challenge';
      if (this.phase === 'open') this.opened();
      data = data.subarray(end + 4);
    }
    let at = 0;
    while (data.length - at >= 2) {
      const short = (data[at + 1] as number) & 127;
      const header = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (data.length - at < header) break;
      const length = short === 126 ? data.readUInt16BE(at + 2) : short === 127 ? Number(data.readBigUInt64BE(at + 2)) : short;
      if (data.length - at - header < length) break;
      this.frame((data[at] as number) & 15, data.subarray(at + header, at + header + length));
      at += header + length;
    }
    if (at < data.length) this.rest = data.subarray(at);
  }

  private frame(opcode: number, payload: Buffer): void {
    if (opcode === PING) {
      this.pings += 1;
      this.socket.write(masked(PONG, payload));
    } else if (opcode === CLOSE) this.socket.destroy();
    else if (opcode === TEXT) this.text(payload);
  }

  private text(payload: Buffer): void {
    switch (this.phase) {
      case 'challenge':
        this.phase = 'hello';
        this.send(connectRequest(this.target.token as string));
        return;
      case 'hello':
        if (payload.subarray(0, 15).equals(EVENT)) return;
        if (!payload.includes(HELLO)) {
          this.opened(new Error(`refused: ${payload.toString('utf8', 0, 300)}`));
          this.socket.destroy();
          return;
        }
        this.phase = 'open';
        this.opened();
        return;
      default:
        if (this.marker === undefined ? payload.subarray(0, 15).equals(EVENT) : payload.includes(this.marker)) this.events += 1;
    }
  }
}

function upgradeOf(port: number): string {
  return `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
}

function connectRequest(token: string): string {
  const client = { id: 'gateway-client', version: '1', platform: 'linux', mode: 'backend' };
  const params = { minProtocol: 4, maxProtocol: 4, client, role: 'operator', scopes: ['operator.admin'], auth: { token } };
  return JSON.stringify({ type: 'req', id: 'connect', method: 'connect', params });
}

/** A masked frame; a mask of zeros leaves the payload as it is. */
function masked(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const header = length < 126 ? Buffer.from([first, 0x80 | length]) : Buffer.from([first, 0xfe, length >> 8, length & 255]);
  return Buffer.concat([header, Buffer.alloc(4), payload]);
}
