// The other side of the comparison: a BullMQ worker that does with an event of one user what push does, in one statement by hand: find the followers,
// decide once, give the next offset, keep decision and item, tell the edge. A process of its own, as push is one.
import { createPostgresBackend, withBackend } from 'bullmq';
import pg from 'pg';

const DECIDE = `
  WITH follower AS (SELECT user_id FROM follows WHERE scope_ref = $1),
       fresh AS (INSERT INTO seen (user_id, event_id) SELECT user_id, $2 FROM follower ON CONFLICT DO NOTHING RETURNING user_id),
       head AS (INSERT INTO head AS h (user_id, head) SELECT user_id, 1 FROM fresh ON CONFLICT (user_id) DO UPDATE SET head = h.head + 1 RETURNING user_id, head),
       item AS (INSERT INTO item (user_id, place, title, events) SELECT user_id, head, $3, $4::json FROM head),
       decided AS (INSERT INTO decided (user_id, event_id, verdict, trace) SELECT user_id, $2, 'sent', $5::jsonb FROM head)
  SELECT pg_notify('hints', json_build_object('user', user_id, 'place', head, 'title', $3::text, 'events', $4::json)::text) FROM head`;
const TRACE = JSON.stringify(['idempotency', 'validity', 'preference', 'emit'].map((stage) => ({ stage, rule: `${stage}:default`, verdict: 'pass' })));

const connectionString = process.env.DATABASE_URL;
const pool = new pg.Pool({ connectionString, max: 8 });
const { Worker } = withBackend(createPostgresBackend);
const work = async ({ data: event }) => {
  const { caseId, summary } = event.data;
  await pool.query({ name: 'decide', text: DECIDE, values: [caseId, event.id, summary, JSON.stringify([event]), TRACE] });
};
const worker = new Worker('events', work, { connection: { connectionString }, concurrency: 16 });
worker.on('error', (error) => process.stderr.write(`${error}\n`));
await worker.waitUntilReady();
process.send?.({ type: 'ready' });
process.on('disconnect', () => process.exit(0));
