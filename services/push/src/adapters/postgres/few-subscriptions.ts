import type { Database } from '@plexus/database';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import type { FollowedScope } from '../../domain/subscription.js';
import { FOLLOWED_COLUMNS, scopeColumns } from './subscription-statements.js';

/** Look-ups that one statement does. */
const MOST = 64;

/** Of each event at most `$6` subscriptions, by exact scope through the index, then the followed types with a wildcard of its tenant. */
const FIND_FEW = `
  WITH scope AS MATERIALIZED (SELECT * FROM unnest($3::int[], $4::text[], $5::text[]) AS s (place, kind, ref))
  SELECT e.place, found.*
    FROM unnest($1::int[], $2::text[]) AS e (place, t),
         LATERAL (
           SELECT ${FOLLOWED_COLUMNS} FROM scope JOIN subscription s ON s.t = e.t AND s.scope_kind = scope.kind AND s.scope_ref = scope.ref
            WHERE scope.place = e.place
           UNION ALL
           SELECT ${FOLLOWED_COLUMNS} FROM subscription s WHERE s.t = e.t AND s.scope_kind = 'type' AND s.scope_ref LIKE '%*%'
           LIMIT $6
         ) AS found`;

interface Asked {
  readonly event: IncomingEvent;
  resolve(found: FollowedScope[] | undefined): void;
  reject(error: unknown): void;
}

/** Finds the subscriptions of single events; what is asked while a statement is under way shares the next one. Nobody waits for company. */
export class FewSubscriptions {
  private waiting: Asked[] = [];
  private running = false;

  constructor(
    private readonly database: Pick<Database, 'query'>,
    /** More than this for one event: undefined. */
    private readonly limit: number,
  ) {}

  find(event: IncomingEvent): Promise<FollowedScope[] | undefined> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ event, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    // One turn later, so that what is asked in the same turn shares the first statement.
    await null;
    while (this.waiting.length > 0) await this.ask(this.waiting.splice(0, MOST));
    this.running = false;
  }

  private async ask(asked: readonly Asked[]): Promise<void> {
    const scopes = asked.flatMap(({ event }, place) => {
      const [, kinds, refs] = scopeColumns(event);
      return kinds.map((kind, index) => ({ place, kind, ref: refs[index] as string }));
    });
    try {
      const rows = await this.database.query<FollowedScope & { readonly place: number }>('push_find_few_subscriptions', FIND_FEW, [
        asked.map((_, place) => place),
        asked.map(({ event }) => event.tenant),
        scopes.map(({ place }) => place),
        scopes.map(({ kind }) => kind),
        scopes.map(({ ref }) => ref),
        this.limit + 1,
      ]);
      const found = asked.map((): FollowedScope[] => []);
      for (const { place, ...scope } of rows) found[place]?.push(scope);
      for (const [place, { resolve }] of asked.entries()) {
        const of = found[place] as FollowedScope[];
        resolve(of.length > this.limit ? undefined : of);
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
