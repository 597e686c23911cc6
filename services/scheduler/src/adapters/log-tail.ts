/** The end of a log as text, at most so many bytes. NUL is no text for a database. */
export function logTail(log: Buffer, bytes: number): string {
  // A character that was cut in two is left out rather than replaced: a replacement is longer than what it stands for.
  let start = Math.max(0, log.length - bytes);
  while (isContinuation(log[start])) start += 1;
  return log.subarray(start).toString('utf8').replaceAll('\0', '').trim();
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
