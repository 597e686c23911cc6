import type { Database } from '@plexus/database';
import type { Clock } from '@plexus/kernel';
import type { Spelling, SpellingProblem } from '../../application/lexicon-ports.js';
import type { SearchFilter } from '../../application/ports.js';
import { type Correction, LEAST_SIMILARITY } from '../../domain/spelling.js';
import { filterParameters } from './memory-reader.js';
import { visible } from './search-statements.js';
import { readInTenant } from './tenant-transaction.js';

/** So many spellings of one word, and of all, are enough. */
const PER_TERM = 8;
const MOST = 64;
/** An administrator may install the extension while the service runs. */
const CACHED_MS = 60_000;

/** `$11` the terms, `$12` the least similarity. Every term of what is visible is looked at once. */
const CORRECTIONS = (lexVersion: number | undefined) => `
  WITH visible AS (${visible({ lexVersion })}),
    vocabulary AS MATERIALIZED (SELECT DISTINCT unnest(tsvector_to_array(m.lex)) AS lexeme FROM visible m)
  SELECT wanted.term, near.lexeme AS "to", near.similarity
    FROM unnest($11::text[]) AS wanted (term)
    CROSS JOIN LATERAL (
      SELECT v.lexeme, similarity(v.lexeme, wanted.term)::float8 AS similarity
        FROM vocabulary v
       WHERE v.lexeme <> wanted.term AND length(v.lexeme) BETWEEN length(wanted.term) - 3 AND length(wanted.term) + 3
         AND similarity(v.lexeme, wanted.term) >= $12
       ORDER BY similarity DESC, v.lexeme
       LIMIT ${PER_TERM}
    ) near
   ORDER BY near.similarity DESC, wanted.term, near.lexeme
   LIMIT ${MOST}`;

/** Nearly right spellings by pg_trgm, where it can be had. */
export class TrigramSpelling implements Spelling {
  #reach: { readonly value: 'all' | 'latin' | undefined; readonly until: number } | undefined;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  async reach(): Promise<'all' | 'latin' | undefined> {
    const now = this.clock.monotonic();
    if (this.#reach !== undefined && (this.#reach.value !== undefined || now < this.#reach.until)) return this.#reach.value;
    this.#reach = { value: await this.#probe(), until: now + CACHED_MS };
    return this.#reach.value;
  }

  async corrections(tenant: string, filter: SearchFilter, terms: readonly string[]): Promise<readonly Correction[] | SpellingProblem> {
    if (terms.length === 0) return [];
    if ((await this.reach()) === undefined) return 'trgm_extension_missing';
    const name = `memory_spelling${filter.lexVersion === undefined ? '' : `_l${filter.lexVersion}`}`;
    const parameters = [...filterParameters(tenant, filter), terms, LEAST_SIMILARITY];
    return readInTenant<Correction>(this.database, tenant, { name, text: CORRECTIONS(filter.lexVersion), params: parameters });
  }

  /** Under a locale that knows no letters beyond ASCII there are no trigrams of Chinese: asked, not guessed. */
  async #probe(): Promise<'all' | 'latin' | undefined> {
    try {
      await this.database.script('CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public');
      const [row] = await this.database.query<{ trigrams: number }>('memory_trgm_probe', `SELECT cardinality(show_trgm('数据')) AS trigrams`);
      return (row?.trigrams ?? 0) > 0 ? 'all' : 'latin';
    } catch {
      return undefined; // not there and not ours to create: told by every answer to a search that asks for it, looked at again in a minute
    }
  }
}
