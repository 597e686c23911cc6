import { bigramsOf, foldText, type Run, runsOf } from './tokeniser.js';

/** One thing that a query asks for. */
export interface QueryUnit {
  /** The term as it is shown in `matched` and `missing`. */
  readonly term: string;
  /** Any term that begins with it counts: a query of one CJK character. */
  readonly prefix: boolean;
  /** Terms that together stand for it, when the whole is not there: the words of an identifier. */
  readonly parts: readonly string[];
  /** Static: no statistics of a corpus, so that a score never changes with what else is stored. In tenths. */
  readonly weight: number;
}

/** A query keeps this many units, the heaviest first; what a longer one says beyond them does not count. */
export const MAX_UNITS = 64;

const WEIGHT = { telling: 20, ordinary: 10, stop: 1 } as const;

const STOP_WORDS = new Set(
  (
    'a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its me my no not of on or our ' +
    'she should so than that the their them then there these they this to was we were what when where which who why will with would you your s t d ll m re ve ' +
    '我们 你们 他们 她们 它们 这个 那个 这些 那些 什么 怎么 为什 因为 所以 如果 但是 可以 一个 没有 就是 还是 以及 或者'
  ).split(' '),
);

/** Reads a query: in a quotation every term weighs double, as does every term with a digit; stop words hardly count. */
export function readQuery(query: string): QueryUnit[] {
  const folded = foldText(query);
  const quotations = [...folded.matchAll(/"[^"]+"|“[^”]+”|「[^」]+」/gu)].map(({ index, 0: text }) => [index, index + text.length] as const);
  const units = new Map<string, QueryUnit>();
  for (const run of runsOf(folded)) {
    const quoted = quotations.some(([from, to]) => run.at > from && run.at < to);
    for (const unit of unitsOf(run, quoted)) {
      const key = unit.prefix ? `${unit.term}*` : unit.term;
      if ((units.get(key)?.weight ?? 0) < unit.weight) units.set(key, unit);
    }
  }
  return heaviest([...units.values()]);
}

/** True when the query asks for single characters only, or for nothing that is a term: then it is answered by likeness. */
export function asksForLikeness(units: readonly QueryUnit[]): boolean {
  return units.every(({ prefix }) => prefix);
}

function unitsOf(run: Run, quoted: boolean): QueryUnit[] {
  if (run.kind === 'word') return [{ term: run.whole, prefix: false, parts: run.parts, weight: weightOf(run.whole, quoted) }];
  if (run.characters.length === 1) return [{ term: run.characters[0] as string, prefix: true, parts: [], weight: WEIGHT.ordinary }];
  return bigramsOf(run.characters).map((term) => ({ term, prefix: false, parts: [], weight: weightOf(term, quoted) }));
}

function weightOf(term: string, quoted: boolean): number {
  if (quoted || /\p{N}/u.test(term)) return WEIGHT.telling;
  return STOP_WORDS.has(term) ? WEIGHT.stop : WEIGHT.ordinary;
}

/** Keeps the order of the query among those that stay. */
function heaviest(units: QueryUnit[]): QueryUnit[] {
  if (units.length <= MAX_UNITS) return units;
  const kept = new Set([...units].sort((a, b) => b.weight - a.weight).slice(0, MAX_UNITS));
  return units.filter((unit) => kept.has(unit));
}
