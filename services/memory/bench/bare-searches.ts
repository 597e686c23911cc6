// What somebody would write by hand for the same questions: by words as Postgres ranks them, by vectors, and both joined by their ranks. Plain connections,
// no role, no row security; what was deleted, replaced or has expired is left out as well. Prepared, ten rows with their contents.
import { documentTerms } from '../dist/src/domain/tokeniser.js';
import { type BenchMemory, me } from './memory-set-up.ts';

const LIVING = `m.tenant_id = $1 AND m.scope_kind = 'user' AND m.scope_id = 'me' AND m.deleted_at IS NULL AND m.superseded_at IS NULL
              AND (m.expires_at IS NULL OR m.expires_at > now())`;
const wordsOf = (query: string): string =>
  documentTerms(query)
    .map((term) => `'${term}'`)
    .join(' | ');

const BY_WORDS = `
  SELECT m.id, m.content, ts_rank_cd(m.lex, $2::tsquery) AS rank FROM memory m WHERE ${LIVING} AND m.lex @@ $2::tsquery ORDER BY rank DESC LIMIT 10`;

export async function bareSearches(memory: BenchMemory, queries: readonly string[]) {
  const { database } = memory;
  const { table } = await memory.vectorOf('any');
  const vectors = await Promise.all(queries.map(async (query) => (await memory.vectorOf(query)).vector));
  const at = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;
  const byVectors = `
    SELECT m.id, m.content, near.distance
      FROM (SELECT v.memory_id, v.e <=> $2::halfvec AS distance FROM ${table} v WHERE v.tenant_id = $1 ORDER BY v.e <=> $2::halfvec LIMIT 10) near
      JOIN memory m ON m.id = near.memory_id AND ${LIVING}
     ORDER BY near.distance`;
  const joined = (near: string): string => `
    WITH lexical AS (
        SELECT id, row_number() OVER (ORDER BY rank DESC) AS place
          FROM (SELECT m.id, ts_rank_cd(m.lex, $2::tsquery) AS rank FROM memory m WHERE ${LIVING} AND m.lex @@ $2::tsquery ORDER BY rank DESC LIMIT 200) best
      ),
      near AS (SELECT nearest.id, row_number() OVER (ORDER BY nearest.distance) AS place FROM (${near}) nearest)
    SELECT m.id, m.content, found.score
      FROM (SELECT id, coalesce(1.0 / (60 + l.place), 0) + coalesce(1.0 / (60 + n.place), 0) AS score FROM lexical l FULL JOIN near n USING (id)
             ORDER BY score DESC LIMIT 10) found
      JOIN memory m ON m.tenant_id = $1 AND m.id = found.id
     ORDER BY found.score DESC`;
  // The same question: the nearest of those that may be seen.
  const byBoth = joined(`
        SELECT v.memory_id AS id, v.e <=> $3::halfvec AS distance FROM ${table} v JOIN memory m ON m.tenant_id = v.tenant_id AND m.id = v.memory_id
         WHERE v.tenant_id = $1 AND ${LIVING} ORDER BY v.e <=> $3::halfvec LIMIT 200`);
  // A cheaper one: the nearest of the tenant, of which then those are left out that may not be seen. Of a small scope it finds little or nothing.
  const filteredLater = joined(`
        SELECT m.id, of_all.distance
          FROM (SELECT v.memory_id, v.e <=> $3::halfvec AS distance FROM ${table} v WHERE v.tenant_id = $1 ORDER BY v.e <=> $3::halfvec LIMIT 200) of_all
          JOIN memory m ON m.id = of_all.memory_id AND ${LIVING}`);
  return {
    byWords: (n: number) => database.query('bare_words', BY_WORDS, [me.tenant, wordsOf(at(queries, n))]),
    byVectors: (n: number) => database.query('bare_vectors', byVectors, [me.tenant, at(vectors, n)]),
    byBoth: (n: number) => database.query('bare_both', byBoth, [me.tenant, wordsOf(at(queries, n)), at(vectors, n)]),
    filteredLater: (n: number) => database.query('bare_later', filteredLater, [me.tenant, wordsOf(at(queries, n)), at(vectors, n)]),
  };
}
