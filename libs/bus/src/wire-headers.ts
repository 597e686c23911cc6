import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { plexusError } from '@plexus/contracts';
import { asBuffer } from './json-body.js';

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
    return this.appendLine(headerLine(name, value));
  }

  /** For names that are constants of this program and values that it made itself. */
  setTrusted(name: string, value: string): this {
    return this.appendLine(`${name}: ${value}\r\n`);
  }

  /** Adds a line made by {@link headerLine}. */
  appendLine(line: string): this {
    this.block += line;
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

/** One line of a header block. Throws INVALID_REQUEST for a name or value that would break the block. */
export function headerLine(name: string, value: string): string {
  if (!NAME.test(name)) throw plexusError('INVALID_REQUEST', { message: 'A header name holds characters that are not allowed.', details: { header: name } });
  if (LINE_BREAK.test(value)) throw plexusError('INVALID_REQUEST', { message: 'A header value holds a line break.', details: { header: name } });
  return `${name}: ${value}\r\n`;
}

/** Where the client library keeps the undecoded message. */
interface UndecodedMessage {
  readonly _rdata?: Uint8Array;
  readonly _msg?: { readonly hdr?: number };
}

/**
 * The header block of a received message as text; undefined when it has none. Read from the bytes: the client library's decoder
 * canonicalises every name, which costs more than the rest of receiving a call. Should its insides change, its decoder is used.
 */
export function headerBlock(message: Pick<Msg, 'headers'>): string | undefined {
  const { _rdata: bytes, _msg: frame } = message as UndecodedMessage;
  if (bytes instanceof Uint8Array && typeof frame?.hdr === 'number') {
    return frame.hdr > 0 ? asBuffer(bytes).toString('utf8', 0, frame.hdr) : undefined;
  }
  const { headers } = message;
  if (headers === undefined || headers === null) return undefined;
  let block = VERSION_LINE;
  for (const [name, values] of headers) for (const value of values) block += `${name}: ${value}\r\n`;
  return `${block}\r\n`;
}

/** The first value of one header in a block; undefined when it is absent. Names are case-sensitive. */
export function headerIn(block: string | undefined, name: string): string | undefined {
  if (block === undefined) return undefined;
  const at = block.indexOf(`\n${name}:`);
  if (at < 0) return undefined;
  const from = at + name.length + 2;
  const to = block.indexOf('\r', from);
  return block.slice(from, to < 0 ? undefined : to).trim();
}

/** All headers of a message. */
export function readHeaders(message: Pick<Msg, 'headers'>): ReadHeaders {
  const block = headerBlock(message);
  return block === undefined ? NO_HEADERS : parseHeaderBlock(block);
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
