import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { plexusError } from '@plexus/contracts';

const VERSION_LINE = 'NATS/1.0\r\n';
const LINE_BREAK = /[\r\n\0]/;
const NAME = /^[!-9;-~]+$/;

/** Headers of a received message: first value of each name, exactly as sent. */
export type ReadHeaders = ReadonlyMap<string, string>;

const NO_HEADERS: ReadHeaders = new Map();

/**
 * Headers on their way out. The client library needs nothing but `encode()` from the headers of a message that it sends, and its own
 * collection costs more than the rest of a request: every name is canonicalised and searched for three times.
 */
export class OutgoingHeaders {
  private block = VERSION_LINE;
  private encoded: Uint8Array | undefined;

  /** Adds one header. Throws INVALID_REQUEST for a name or value that would break the header block. */
  set(name: string, value: string): this {
    if (!NAME.test(name)) throw plexusError('INVALID_REQUEST', { message: 'A header name holds characters that are not allowed.', details: { header: name } });
    return this.setKnown(name, value);
  }

  /** For names that are constants of this program. */
  setKnown(name: string, value: string): this {
    if (LINE_BREAK.test(value)) throw plexusError('INVALID_REQUEST', { message: 'A header value holds a line break.', details: { header: name } });
    this.block += `${name}: ${value}\r\n`;
    this.encoded = undefined;
    return this;
  }

  setAll(headers: Readonly<Record<string, string>> | undefined): this {
    for (const name in headers) this.set(name, headers[name] as string);
    return this;
  }

  get isEmpty(): boolean {
    return this.block === VERSION_LINE;
  }

  /** Bytes of the header block on the wire. */
  get size(): number {
    return this.isEmpty ? 0 : this.encode().length;
  }

  /** Called by the client library. */
  encode(): Uint8Array {
    this.encoded ??= Buffer.from(`${this.block}\r\n`);
    return this.encoded;
  }

  /** For the client library's `publish`. Undefined when there are none. */
  toNats(): MsgHdrs | undefined {
    return this.isEmpty ? undefined : (this as unknown as MsgHdrs);
  }
}

/** Reads the headers of a message. Names are case-sensitive. */
export function readHeaders(message: Pick<Msg, 'headers'>): ReadHeaders {
  const headers = message.headers;
  if (headers === undefined || headers === null) return NO_HEADERS;
  const read = new Map<string, string>();
  for (const [name, values] of headers) {
    const first = values[0];
    if (first !== undefined) read.set(name, first);
  }
  return read;
}

/** Makes any text fit into one header value: one line, at most `maxLength` characters. */
export function headerText(text: string, maxLength = 512): string {
  const line = text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

/** Reads a header block as streams store it. */
export function parseHeaderBlock(block: string): ReadHeaders {
  const read = new Map<string, string>();
  for (const line of block.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon);
    if (!read.has(name)) read.set(name, line.slice(colon + 1).trim());
  }
  return read;
}
