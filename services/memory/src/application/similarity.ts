import type { Clock } from '@plexus/kernel';
import { cosine } from '../domain/embedding/model.js';
import { jaccard } from '../domain/ranking.js';
import { documentTerms } from '../domain/tokeniser.js';
import type { MemoryReader } from './ports.js';

/** How alike two of the given memories are, 0..1: by their stored vectors where both have one, else by the terms they share. */
export async function similarityOf(
  reader: MemoryReader,
  tenant: string,
  ids: readonly string[],
  table: string | undefined,
  clock: Clock,
): Promise<(a: string, b: string) => number> {
  const vectors = table === undefined ? new Map<string, Float32Array>() : await reader.vectorsOf(tenant, table, ids);
  const hits = ids.every((id) => vectors.has(id)) ? [] : await reader.hits(tenant, ids, [], new Date(clock.now()));
  const terms = new Map(hits.map(({ id, content }) => [id, new Set(documentTerms(content))]));
  return (a, b) => {
    const [left, right] = [vectors.get(a), vectors.get(b)];
    if (left !== undefined && right !== undefined) return Math.max(0, cosine(left, right));
    return jaccard(terms.get(a) ?? new Set(), terms.get(b) ?? new Set());
  };
}
