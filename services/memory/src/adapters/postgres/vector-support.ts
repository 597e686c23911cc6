import type { Database } from '@plexus/database';
import type { Clock } from '@plexus/kernel';
import type { VectorSupport } from '../../application/ports.js';

/** An administrator may install the extension while the service runs. */
const CACHED_MS = 60_000;

export class PostgresVectorSupport implements VectorSupport {
  readonly backend: Database['kind'];
  #known: { readonly available: boolean; readonly until: number } | undefined;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    this.backend = database.kind;
  }

  async vectorExtension(): Promise<boolean> {
    const now = this.clock.monotonic();
    if (this.#known !== undefined && now < this.#known.until) return this.#known.available;
    const found = await this.database.query('memory_vector_extension', `SELECT 1 AS found FROM pg_available_extensions WHERE name = 'vector'`);
    this.#known = { available: found.length > 0, until: now + CACHED_MS };
    return this.#known.available;
  }
}
