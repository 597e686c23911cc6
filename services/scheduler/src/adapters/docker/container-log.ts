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

/** The end of a log as text, at most so many bytes. NUL is no text for a database. */
export function tailOf(log: Buffer, bytes: number): string {
  // A character that was cut in two is left out rather than replaced: a replacement is longer than what it stands for.
  let start = Math.max(0, log.length - bytes);
  while (start < log.length && start > 0 && ((log[start] as number) & 0xc0) === 0x80) start += 1;
  return log.subarray(start).toString('utf8').replaceAll('\0', '').trim();
}
