import { readFileSync } from 'node:fs';
import { connectBus } from '@plexus/bus';
import { OPERATOR_ROLE } from '@plexus/local-stack';
import pg from 'pg';
import type { ChaosMesh } from '../mesh/chaos-mesh.js';

/** What is stored, in total or per operation. */
export interface Traffic {
  /** Messages in streams, buckets among them, counted once however many copies there are. */
  readonly natsMessages: number;
  readonly natsBytes: number;
  readonly commits: number;
  /** Rows inserted, changed and deleted. */
  readonly rows: number;
  readonly walBytes: number;
}

const SQL = `select xact_commit::float8 as commits, (tup_inserted + tup_updated + tup_deleted)::float8 as rows, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal
  from pg_stat_database where datname = current_database()`;

/** Totals up to now. Streams that drop what was handled are counted by their last sequence; bytes are those of what is kept. */
export async function readTraffic(mesh: ChaosMesh): Promise<Traffic> {
  const seed = readFileSync(mesh.state.paths.nkeySeed(OPERATOR_ROLE), 'utf8').trim();
  const bus = await connectBus({ service: 'launcher', servers: mesh.natsUrl, credentials: { nkeySeed: seed } });
  const client = new pg.Client({ connectionString: mesh.postgres.url() });
  try {
    await client.connect();
    const streams = await bus.jetstream.streams();
    const sum = (of: (state: (typeof streams)[number]['state']) => number): number => streams.reduce((total, { state }) => total + of(state), 0);
    const { rows } = await client.query(SQL);
    return {
      natsMessages: sum((state) => state.last_seq),
      natsBytes: sum((state) => state.bytes),
      commits: rows[0].commits,
      rows: rows[0].rows,
      walBytes: rows[0].wal,
    };
  } finally {
    await client.end();
    await bus.close();
  }
}

export function trafficBetween(before: Traffic, after: Traffic, operations: number): Traffic {
  const per = (key: keyof Traffic): number => Math.max(0, after[key] - before[key]) / Math.max(1, operations);
  return { natsMessages: per('natsMessages'), natsBytes: per('natsBytes'), commits: per('commits'), rows: per('rows'), walBytes: per('walBytes') };
}
