/**
 * Cuts a text into parts of at most `limit` UTF-16 units, at the last paragraph, line, sentence or word that fits, else anywhere but
 * within a character. Every part is something: white space around a cut is dropped, nothing else.
 */
export function splitText(text: string, limit: number): string[] {
  if (!(limit >= 2)) throw new RangeError(`a part needs room for a character, got ${limit}`);
  const parts: string[] = [];
  let rest = text;
  while (rest.length > limit) {
    const at = cutPoint(rest, limit);
    const part = rest.slice(0, at).trimEnd();
    if (part !== '') parts.push(part);
    rest = rest.slice(at).trimStart();
  }
  if (rest.trim() !== '' || parts.length === 0) parts.push(rest);
  return parts;
}

const CUTS: readonly RegExp[] = [/\n\s*\n/g, /\n/g, /(?<=[.!?…。！？])\s+/g, /\s+/g];

function cutPoint(text: string, limit: number): number {
  const window = text.slice(0, limit + 1);
  for (const cut of CUTS) {
    let last = 0;
    for (const match of window.matchAll(cut)) if (match.index <= limit) last = match.index;
    // A cut near the beginning would make a part of a few words only.
    if (last > limit / 4) return last;
  }
  const unit = text.charCodeAt(limit - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? limit - 1 : limit;
}
