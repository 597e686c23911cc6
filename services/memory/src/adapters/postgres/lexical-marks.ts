import type { Probe } from '../../domain/evidence.js';

/**
 * What a query asks for as a plain sum: a memory is worth the shares of all marks that it holds. Adding them up is one expression per row,
 * where taking the best variant of each unit would be a small aggregation per row.
 */
export interface Mark {
  /** A `tsquery`. */
  readonly query: string;
  readonly share: number;
}

/** Numbers of marks that statements are made for: a query with seven uses the statement for eight, the last mark finding nothing. */
const SLOTS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64] as const;
/** No text has this term: the tokeniser keeps letters and digits. */
const NOTHING: Mark = { query: "'\u0001'", share: 0 };

/**
 * Spells probes out so that the best variant of a unit is the sum of its marks: what stands for a term counts only where the term itself is
 * missing. Undefined where that is not possible (a unit with parts that was also spelt anew) or where there are too many.
 */
export function marksOf(probes: readonly Probe[]): Mark[] | undefined {
  const units = new Map<number, Probe[]>();
  for (const probe of probes) units.set(probe.unit, [...(units.get(probe.unit) ?? []), probe]);
  const marks: Mark[] = [];
  for (const unit of units.values()) {
    const own = marksOfUnit(unit);
    if (own === undefined) return undefined;
    marks.push(...own);
  }
  const slots = SLOTS.find((size) => size >= marks.length);
  return slots === undefined ? undefined : [...marks, ...Array.from({ length: slots - marks.length }, () => NOTHING)];
}

function marksOfUnit(probes: readonly Probe[]): Mark[] | undefined {
  const whole = probes.filter(({ variant }) => variant === 0);
  const parts = probes.filter(({ variant }) => variant === 1);
  const spellings = probes.filter(({ variant }) => variant > 1).sort((a, b) => b.share - a.share);
  if (whole.length > 1 || (parts.length > 0 && spellings.length > 0)) return undefined;
  // Parts together are worth no more than the whole, and a spelling less than the next better one.
  const marks: Mark[] = [];
  const better = whole.map(lexemeOf);
  for (const one of whole) marks.push({ query: lexemeOf(one), share: one.share });
  for (const part of parts) marks.push({ query: unless(lexemeOf(part), better), share: part.share });
  for (const spelling of spellings) {
    marks.push({ query: unless(lexemeOf(spelling), better), share: spelling.share });
    better.push(lexemeOf(spelling));
  }
  return marks;
}

const unless = (lexeme: string, better: readonly string[]): string => [lexeme, ...better.map((one) => `!${one}`)].join(' & ');

/** One quoted lexeme, so that no parser or dictionary of Postgres has a say in it. */
export function lexemeOf({ term, prefix }: Probe): string {
  return `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}'${prefix ? ':*' : ''}`;
}
