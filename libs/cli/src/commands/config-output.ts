import { isDeepStrictEqual } from 'node:util';
import { type Difference, problemLine, type Written } from '../config-client.js';
import type { Output } from '../output.js';

/** Says what a write did: the sentence, the revision, the paths, and what is questionable. */
export function reportWritten(output: Output, written: Written, sentence: string, more: Record<string, unknown> = {}): void {
  const text = written.changed
    ? [`${sentence} Revision ${written.revision}, hash ${written.hash.slice(0, 12)}.`, ...written.changedPaths.map((path) => `  ${path}`)]
    : ['Nothing to change.'];
  output.result({ ...written, ...more }, [...text, ...written.warnings.map((warning) => `warning${problemLine(warning)}`)]);
}

/** One difference for people: the path, what went and what came. Of a list only those entries that are not on both sides. */
export function differenceLines({ path, before, after }: Difference): string[] {
  const line = (sign: string, value: unknown): string => `  ${sign} ${JSON.stringify(value)}`;
  if (!Array.isArray(before) || !Array.isArray(after)) {
    return [path, ...(before === undefined ? [] : [line('-', before)]), ...(after === undefined ? [] : [line('+', after)])];
  }
  const without = (entries: unknown[], others: unknown[]) => entries.filter((entry) => !others.some((other) => isDeepStrictEqual(entry, other)));
  const lines = [...without(before, after).map((entry) => line('-', entry)), ...without(after, before).map((entry) => line('+', entry))];
  return [path, ...(lines.length === 0 ? ['  the same entries in another order, or in another number'] : lines)];
}
