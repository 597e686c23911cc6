const HEADER_BYTES = 8;

/** Joins what the engine sends of stdout and stderr: frames of a stream number, three zero bytes, a length and the text. */
export function demultiplex(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + HEADER_BYTES <= body.length; ) {
    const length = body.readUInt32BE(at + 4);
    parts.push(body.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
    at += HEADER_BYTES + length;
  }
  return Buffer.concat(parts);
}
