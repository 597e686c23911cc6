import path from 'node:path';

/** File systems take 255 bytes; what is longer goes on in a folder below. */
const PIECE = 200;
/** Ends a piece that is not the last one. */
const CONTINUED = '~';

/**
 * A path that any text of a name maps to, one to one and without `.`, `/`, capitals or anything else that a file system gives a meaning:
 * bytes other than a-z, 0-9, `_` and `-` are written as %xx.
 */
export function pathOfName(name: string): string {
  const encoded = [...Buffer.from(name)].map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`)).join('');
  const pieces: string[] = [];
  for (let from = 0; from < encoded.length; from += PIECE) pieces.push(encoded.slice(from, from + PIECE));
  return path.join(...pieces.map((piece, index) => (index < pieces.length - 1 ? piece + CONTINUED : piece)));
}

export function isContinued(folder: string): boolean {
  return folder.endsWith(CONTINUED);
}

/** The name of which the pieces of its path are given; undefined for a folder that is not ours. */
export function nameOfPieces(pieces: readonly string[]): string | undefined {
  const encoded = pieces.map((piece) => (isContinued(piece) ? piece.slice(0, -1) : piece)).join('');
  if (!/^(?:[a-z0-9_-]|%[0-9a-f]{2})+$/.test(encoded)) return undefined;
  const bytes = [...encoded.matchAll(/%([0-9a-f]{2})|(.)/g)].map(([, hex, plain]) =>
    hex === undefined ? (plain as string).charCodeAt(0) : Number.parseInt(hex, 16),
  );
  const name = Buffer.from(bytes).toString();
  return pathOfName(name) === path.join(...pieces) ? name : undefined;
}

function isPlain(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f || byte === 0x2d;
}
