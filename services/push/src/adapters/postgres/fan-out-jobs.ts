import type { Database } from '@plexus/database';
import type { FanOutJob, FanOutJobs, FanOutPage } from '../../application/deciding-ports.js';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import type { FollowedScope } from '../../domain/subscription.js';
import { FIND_SUBSCRIPTIONS, scopeColumns } from './subscription-statements.js';

const PAGE_SIZE = 500;
/** A job that is done is kept this long, so that a redelivery of its event finds it. */
const KEPT = `interval '1 day'`;

/** One statement sees one state of the subscriptions: everyone who followed at that moment is in exactly one page, whatever is changed later. */
const BEGIN = `
  WITH found AS (${FIND_SUBSCRIPTIONS}),
       by_user AS (SELECT "user", json_agg(row_to_json(found)) AS scopes FROM found GROUP BY "user"),
       numbered AS (SELECT "user", scopes, (row_number() OVER (ORDER BY "user" COLLATE "C") - 1) / ${PAGE_SIZE} AS page FROM by_user),
       pages AS (SELECT page, json_agg(scopes ORDER BY "user" COLLATE "C") AS recipients FROM numbered GROUP BY page),
       job AS (INSERT INTO fanout_job (id, t, event, agent, pages) SELECT $4, $1, $5::json, $6, count(*) FROM pages ON CONFLICT DO NOTHING RETURNING id)
  INSERT INTO fanout_page (job, page, t, recipients) SELECT job.id, pages.page, $1, pages.recipients FROM pages, job`;

/** Two that finish the last two pages at the same moment do not see each other; whoever looks next closes the job. */
const CLOSE = `
  WITH old AS (DELETE FROM fanout_job WHERE done_at < now() - ${KEPT})
  UPDATE fanout_job j SET done_at = now() WHERE done_at IS NULL AND NOT EXISTS (SELECT FROM fanout_page p WHERE p.job = j.id)`;
const TENANTS = 'SELECT DISTINCT t AS tenant FROM fanout_job WHERE done_at IS NULL';

const CLAIM = `
  WITH oldest AS (SELECT j.id, j.event, j.created_at FROM fanout_job j
                   WHERE j.t = $1 AND j.done_at IS NULL AND EXISTS (SELECT FROM fanout_page p WHERE p.job = j.id)
                   ORDER BY j.created_at, j.id LIMIT $2),
       chosen AS (SELECT p.job, p.page, o.event FROM fanout_page p JOIN oldest o ON o.id = p.job
                   WHERE p.claimed_until IS NULL OR p.claimed_until < now()
                   ORDER BY o.created_at, p.job, p.page LIMIT 1 FOR UPDATE OF p SKIP LOCKED)
  UPDATE fanout_page p SET claimed_until = now() + $3::float8 * interval '1 millisecond'
    FROM chosen c WHERE p.job = c.job AND p.page = c.page
  RETURNING p.job, p.page, p.recipients, c.event`;

const DONE = `
  WITH gone AS (DELETE FROM fanout_page WHERE job = $1 AND page = $2)
  UPDATE fanout_job SET done_at = now() WHERE id = $1 AND NOT EXISTS (SELECT FROM fanout_page WHERE job = $1 AND page <> $2)`;

interface PageRow {
  readonly job: string;
  readonly page: number;
  readonly recipients: readonly (readonly FollowedScope[])[];
  readonly event: IncomingEvent;
}

/** Jobs and their pages in Postgres: what is still to be done is what is still there. */
export class PostgresFanOutJobs implements FanOutJobs {
  constructor(private readonly database: Database) {}

  async begin({ id, event }: FanOutJob): Promise<void> {
    await this.database.query('push_begin_fanout', BEGIN, [...scopeColumns(event), id, JSON.stringify(event), event.agent ?? null]);
  }

  async tenants(): Promise<string[]> {
    const rows = await this.database.query<{ tenant: string }>('push_fanout_tenants', TENANTS);
    if (rows.length > 0) await this.database.query('push_close_fanout', CLOSE);
    return rows.map(({ tenant }) => tenant);
  }

  async claim(tenant: string, cap: number, claimMs: number): Promise<FanOutPage | undefined> {
    const [row] = await this.database.query<PageRow>('push_claim_fanout', CLAIM, [tenant, cap, claimMs]);
    return row && { job: row.job, page: row.page, tenant, event: row.event, subscriptions: row.recipients.flat() };
  }

  async done({ job, page }: FanOutPage): Promise<void> {
    await this.database.query('push_fanout_done', DONE, [job, page]);
  }
}
