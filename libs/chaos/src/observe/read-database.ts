import pg from 'pg';
import type { FinalState, InboxEntry } from '../history.js';

const OPEN_RUNS = `select tenant, owner, run_id, status from routing.runs where status not in ('ok', 'error', 'cancelled', 'timeout')`;

/** The rows behind what clients see, read past every proxy. */
export class DatabaseReader {
  private constructor(private readonly client: pg.Client) {}

  static async connect(url: string): Promise<DatabaseReader> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000 });
    client.on('error', () => {}); // a lost connection shows in the next question
    await client.connect();
    return new DatabaseReader(client);
  }

  async runs(): Promise<FinalState['runs'][number][]> {
    const { rows } = await this.client.query('select tenant, owner, run_id, status, error_code from routing.runs');
    return rows.map((row) => ({
      tenant: row.tenant,
      user: row.owner,
      runId: row.run_id,
      status: row.status,
      ...(row.error_code === null ? {} : { error: row.error_code }),
    }));
  }

  async inboxRows(): Promise<FinalState['inboxRows'][number][]> {
    const { rows } = await this.client.query('select t, user_id, inbox_offset, delivery_id, events from push.inbox_item order by t, user_id, inbox_offset');
    const boxes = new Map<string, { tenant: string; user: string; entries: readonly InboxEntry[] }>();
    for (const row of rows) {
      const key = `${row.t}\n${row.user_id}`;
      const box = boxes.get(key) ?? { tenant: row.t, user: row.user_id, entries: [] };
      const entry = { offset: row.inbox_offset, id: row.delivery_id, events: row.events.map(({ id }: { id: string }) => id) };
      boxes.set(key, { ...box, entries: [...box.entries, entry] });
    }
    return [...boxes.values()];
  }

  async vms(): Promise<FinalState['vms'][number][]> {
    const { rows } = await this.client.query('select tenant_id, subject_id, id, state from scheduler.vms');
    return rows.map((row) => ({ tenant: row.tenant_id, user: row.subject_id, vmId: row.id, state: row.state }));
  }

  /** Runs that are not over and outboxes that are not empty, each as a sentence. */
  async unsettled(): Promise<string[]> {
    const { rows: open } = await this.client.query(OPEN_RUNS);
    const found: string[] = open.slice(0, 20).map((row) => `run ${row.run_id} of ${row.tenant}/${row.owner} is ${row.status}`);
    for (const schema of ['routing', 'push', 'scheduler']) {
      const { rows } = await this.client.query(`select count(*)::int as waiting from ${schema}.outbox where published_at is null`);
      if (rows[0].waiting > 0) found.push(`outbox of ${schema}: ${rows[0].waiting} rows wait`);
    }
    return found;
  }

  async close(): Promise<void> {
    await this.client.end();
  }
}
