/** Newest first, each offset once; of two that are the same the first list wins. */
export function mergeItems<T extends { readonly offset: number }>(newer: readonly T[], older: readonly T[]): readonly T[] {
  if (older.length === 0) return newer;
  const known = new Set(newer.map(({ offset }) => offset));
  return [...newer, ...older.filter(({ offset }) => !known.has(offset))].sort((a, b) => b.offset - a.offset);
}
