import type { QueryUnit } from './query.js';

/** One look-up in the terms of a memory, and what finding it is worth. Whole numbers, so that database and service agree exactly. */
export interface Probe {
  /** Which unit of the query it belongs to. */
  readonly unit: number;
  /** 0: the term itself; 1: a part of it; from 2 on: another spelling each. The best variant of a unit counts. */
  readonly variant: number;
  readonly share: number;
  readonly term: string;
  readonly prefix: boolean;
}

/** Divisible by every number of parts that an identifier may have. */
export const SCALE = 720_720;

/** Spells a query out as look-ups. */
export function probesOf(units: readonly QueryUnit[]): Probe[] {
  return units.flatMap(({ term, prefix, parts, weight }, unit): Probe[] => [
    { unit, variant: 0, share: weight * SCALE, term, prefix },
    ...parts.map((part): Probe => ({ unit, variant: 1, share: (weight * SCALE) / parts.length, term: part, prefix: false })),
  ]);
}

/** What all units of a query together are worth, in the units of {@link Probe.share}. */
export function totalShare(units: readonly QueryUnit[]): number {
  return units.reduce((sum, { weight }) => sum + weight * SCALE, 0);
}

export interface LexicalEvidence {
  /** Σ weight of what is there / Σ weight of what was asked, 0..1. */
  readonly lex: number;
  /** Terms that are there, wholly or by all their parts. */
  readonly matched: readonly string[];
  readonly missing: readonly string[];
}

/** Weighs what was found: `found` holds the positions in `probes` that the memory has. Monotone: finding more never lowers `lex`. */
export function weigh(units: readonly QueryUnit[], probes: readonly Probe[], found: ReadonlySet<number>): LexicalEvidence {
  const byVariant = units.map(() => new Map<number, number>());
  for (const [position, { unit, variant, share }] of probes.entries()) {
    if (found.has(position)) byVariant[unit]?.set(variant, (byVariant[unit].get(variant) ?? 0) + share);
  }
  const values = byVariant.map((variants) => Math.max(0, ...variants.values()));
  const full = ({ weight }: QueryUnit, index: number) => (values[index] as number) >= weight * SCALE;
  const total = totalShare(units);
  const sum = values.reduce((a, b) => a + b, 0);
  return {
    lex: total === 0 ? 0 : sum / total,
    matched: units.filter((unit, index) => full(unit, index)).map(({ term }) => term),
    missing: units.filter((unit, index) => !full(unit, index)).map(({ term }) => term),
  };
}
