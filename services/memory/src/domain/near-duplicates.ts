import { foldText } from './tokeniser.js';

/** From here on two memories may say the same: cosine of their vectors, or share of terms that they have in common. */
export const LEAST_COSINE = 0.97;
export const LEAST_JACCARD = 0.9;

const NUMBER = /[\p{L}\p{N}]*\p{N}(?:[\p{L}\p{N}]|[.\-_:,/](?=[\p{L}\p{N}]))*/gu;
const WRITTEN_NUMBER = /[〇零一二三四五六七八九十百千万萬亿億两兩半]/gu;
const NEGATION =
  /(?<![\p{L}\p{N}])(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|un|nicht|kein\p{L}*|nie|ohne|pas|jamais|sans|nunca|sin|non|senza|mai)(?![\p{L}\p{N}])|n['’]t(?![\p{L}\p{N}])|[不没沒无無非未别別勿莫否]|ない|ません|않|못|없/gu;

/**
 * Whether two texts that look alike also agree in what turns a meaning round: their numbers and their negations. "Port 5432 is open" and
 * "port 5433 is not open" are two facts, however near their vectors are.
 */
export function agreeInFacts(a: string, b: string): boolean {
  const [left, right] = [foldText(a).toLowerCase(), foldText(b).toLowerCase()];
  return same(left, right, NUMBER) && same(left, right, WRITTEN_NUMBER) && same(left, right, NEGATION);
}

/** Of each group of linked ones the first in the list stays, and says whom it stands for. `links` holds both ids of each pair. */
export function collapse<T>(
  list: readonly T[],
  idOf: (one: T) => string,
  links: ReadonlyMap<string, ReadonlySet<string>>,
): { readonly kept: T[]; readonly hidden: ReadonlyMap<string, readonly string[]> } {
  const kept: T[] = [];
  const hidden = new Map<string, string[]>();
  const standing = new Set<string>();
  for (const one of list) {
    const id = idOf(one);
    const better = [...(links.get(id) ?? [])].find((other) => standing.has(other));
    if (better === undefined) {
      kept.push(one);
      standing.add(id);
    } else hidden.set(better, [...(hidden.get(better) ?? []), id]);
  }
  return { kept, hidden };
}

/** The same matches, each as often, in whatever order. */
function same(a: string, b: string, pattern: RegExp): boolean {
  const found = (text: string) => (text.match(pattern) ?? []).sort().join('\0');
  return found(a) === found(b);
}
