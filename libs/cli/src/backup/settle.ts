import { readFileSync } from 'node:fs';
import path from 'node:path';
import { raiseSequence } from '@plexus/bus';
import type { Database } from '@plexus/database';
import { repositoryRoot } from '@plexus/local-stack';
import type { Places } from './places.js';

export interface Settled {
  /** Facts and commands that outboxes hand over once more. */
  readonly again: number;
  /** Streams whose sequence was moved on, with where it is now. */
  readonly raised: Readonly<Record<string, number>>;
}

/** Rows of a relay are marked a moment after they were published. */
const MARGIN_MS = 60_000;

/** Where rows remember sequences of streams. A stream that is younger than the rows must not give those numbers out again. */
const REMEMBERED: readonly { readonly stream: string; readonly filler: string; readonly schema: string; readonly highest: string }[] = [
  {
    stream: 'PLEXUS_EVT_SESSION',
    filler: 'plexus.evt._.session.restored.v1.gap',
    schema: 'routing',
    highest: 'SELECT coalesce(max(stream_seq), 0) AS seq FROM routing.sessions',
  },
  {
    stream: 'PLEXUS_EVT_SESSION',
    filler: 'plexus.evt._.session.restored.v1.gap',
    schema: 'scheduler',
    highest: 'SELECT coalesce(max(marker_seq), 0) AS seq FROM scheduler.vm_sessions',
  },
  {
    stream: 'PLEXUS_PUSH_LOG',
    filler: 'plexus.log._.push.restored.v1.gap.gap',
    schema: 'push',
    highest: 'SELECT greatest((SELECT max(stream_seq) FROM push.partition_cursor), (SELECT max(activated_seq) FROM push.policy), 0) AS seq',
  },
  {
    stream: 'PLEXUS_CMD_PUSH',
    filler: 'plexus.cmd._.push.restored.v1.gap',
    schema: 'push',
    highest: 'SELECT coalesce(max(command_seq), 0) AS seq FROM push.delivery_attempt',
  },
];

/**
 * A run whose end the scheduler had seen and routing had not: the event lies behind the end of the restored stream. The scheduler forgets the run, routing starts it
 * once more, and the answer is made again; routing takes one.
 */
const UNFINISHED = `
  DELETE FROM scheduler.vm_runs v USING routing.runs r JOIN routing.sessions s ON s.id = r.session_ref
   WHERE r.status = 'started' AND v.run_id = r.run_id AND v.session_id = s.session_id AND v.tenant_id = s.tenant AND v.state <> 'open';
  UPDATE routing.outbox SET published_at = NULL WHERE subject LIKE 'plexus.cmd.%.run.start.v1.%'`;

/**
 * Makes rows and streams of different moments fit together, before the first service starts on them: outboxes hand over again what they had handed over since
 * `since`, sequences that rows remember are not given out a second time, and every service's own `prisma/after-restore.sql` runs (inboxes get new epochs,
 * VMs higher ones). May be repeated.
 */
export async function settle({ bus, databases }: Places, since: string, note: (line: string) => void): Promise<Settled> {
  let again = 0;
  const floors = new Map<string, { seq: number; filler: string }>();
  for (const place of databases) {
    const database = await place.openToWrite();
    try {
      for (const schema of await present(database, place.schemas)) again += await settleSchema(database, schema, new Date(Date.parse(since) - MARGIN_MS));
      if (place.name === 'plexus') await database.transaction((tx) => tx.script(UNFINISHED));
      for (const { stream, filler, schema, highest } of REMEMBERED.filter((one) => place.schemas.includes(one.schema))) {
        const [row] = await database.query<{ seq: number }>(`settle_${schema}_${stream}`, highest);
        const seq = Math.max(Number(row?.seq ?? 0), floors.get(stream)?.seq ?? 0);
        floors.set(stream, { seq, filler });
      }
    } finally {
      await database.close();
    }
  }
  const raised: Record<string, number> = {};
  for (const [stream, { seq, filler }] of floors) {
    const before = (await bus.jetstream.streamInfo(stream))?.state.last_seq;
    if (before === undefined || before >= seq) continue;
    raised[stream] = await raiseSequence(bus, stream, filler, seq);
    note(`${stream}: numbers up to ${raised[stream]} have been given out`);
  }
  return { again, raised };
}

async function present(database: Database, schemas: readonly string[]): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    'settle_schemas',
    `SELECT table_schema AS name FROM information_schema.tables WHERE table_name = 'outbox' AND table_schema = ANY ($1::text[])`,
    [schemas],
  );
  return rows.map(({ name }) => name);
}

/** Rows and what belongs to them in one transaction: half of it would be worse than none. */
async function settleSchema(database: Database, schema: string, since: Date): Promise<number> {
  // Every service has one, so that a file that is missing where this runs ends the restore, instead of leaving epochs as they were.
  const own = readFileSync(path.join(repositoryRoot(), 'services', schema, 'prisma', 'after-restore.sql'), 'utf8');
  return database.transaction(async (tx) => {
    await tx.script(`SET LOCAL statement_timeout = 0; SET LOCAL search_path TO "${schema}", public`);
    const rows = await tx.query<{ id: unknown }>(
      `settle_outbox_${schema}`,
      `UPDATE "${schema}".outbox SET published_at = NULL WHERE published_at >= $1 RETURNING id`,
      [since.toISOString()],
    );
    await tx.script(own);
    return rows.length;
  });
}
