import { estimateTokens } from '@plexus/context-window';

/** A content of more tokens gets a vector per chunk; the best chunk counts at search. */
export const CHUNK_TOKENS = 400;
const OVERLAP_TOKENS = 80;
/** What ends a chunk well, best first. */
const BREAKS = [/\n\s*\n/g, /[\n。！？]|[.!?](?=\s)/g, /\s/g];

/** Overlapping pieces of at most about 400 tokens, in order; together they are the whole text. A short text is one. */
export function chunksOf(text: string): string[] {
  if (estimateTokens(text) <= CHUNK_TOKENS) return [text];
  const chunks: string[] = [];
  for (let from = 0; from < text.length; ) {
    const most = advance(text, from, CHUNK_TOKENS);
    const to = most >= text.length ? text.length : goodBreak(text, from, most);
    chunks.push(text.slice(from, to));
    if (to >= text.length) break;
    from = Math.max(from + 1, wordStart(text, retreat(text, to, OVERLAP_TOKENS), to));
  }
  return chunks;
}

/** The position that `tokens` tokens behind `from` is reached at, never inside a surrogate pair. */
function advance(text: string, from: number, tokens: number): number {
  let low = from + 1;
  let high = Math.min(text.length, from + tokens * 4);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (estimateTokens(text.slice(from, middle)) <= tokens) low = middle;
    else high = middle - 1;
  }
  return whole(text, low);
}

function retreat(text: string, to: number, tokens: number): number {
  let low = Math.max(0, to - tokens * 4);
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (estimateTokens(text.slice(middle, to)) <= tokens) high = middle;
    else low = middle + 1;
  }
  return whole(text, low);
}

/** The end of the last paragraph, sentence or word in the later half of the chunk; else the chunk's whole length. */
function goodBreak(text: string, from: number, most: number): number {
  const half = from + ((most - from) >> 1);
  for (const pattern of BREAKS) {
    const ends = [...text.slice(half, most).matchAll(pattern)].map(({ index, 0: match }) => half + index + match.length);
    const last = ends.at(-1);
    if (last !== undefined && last > from) return last;
  }
  return most;
}

function wordStart(text: string, at: number, before: number): number {
  const space = text.slice(at, before).search(/\s/);
  return space < 0 ? at : at + space + 1;
}

function whole(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at;
}
