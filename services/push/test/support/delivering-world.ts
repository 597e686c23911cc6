import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Bus, listParked } from '@plexus/bus';
import { BUCKETS, type DataOf, pushDeliveryContracts } from '@plexus/contracts';
import { createPool, type PostgresDatabase } from '@plexus/database';
import { createTestDatabase, type TestDatabase, type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { partitionOf } from '../../src/domain/partition.js';
import { startTestMesh, type TestMesh } from './mesh.js';
import { prismaFolder } from './push-on-postgres.js';

type Command = DataOf<typeof pushDeliveryContracts.deliverCommand>;

/** NATS, Postgres, a configuration with channels, and people with inboxes and contacts: everything but push itself. */
export class DeliveringWorld {
  private users = 0;
  private statements = 0;
  private constructor(
    readonly mesh: TestMesh,
    readonly database: TestDatabase,
    private readonly pool: PostgresDatabase,
    private readonly folder: ThrowAwayFolder,
  ) {}

  static async start(): Promise<DeliveringWorld> {
    const mesh = await startTestMesh();
    const database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
    const pool = createPool({ url: database.url, schema: 'push', applicationName: 'test', max: 2 });
    return new DeliveringWorld(mesh, database, pool, throwAwayFolder('push-secrets'));
  }

  get bus(): Bus {
    return this.mesh.gateway;
  }

  get tables(): PostgresDatabase {
    return this.pool;
  }

  rows<R>(sql: string, parameters: unknown[] = []): Promise<R[]> {
    this.statements += 1;
    return this.pool.query(`test_${this.statements}`, sql, parameters);
  }

  /** A reference to a secret that push can read. */
  secret(name: string, value: string): { readonly file: string } {
    const file = path.join(this.folder.path, name);
    writeFileSync(file, value, { mode: 0o600 });
    return { file };
  }

  async configure(channels: Record<string, unknown>): Promise<void> {
    await (await this.bus.kv(BUCKETS.config)).put('acme', { push: { channels } });
  }

  newUser(): string {
    this.users += 1;
    return `person-${this.users}`;
  }

  async contact(user: string, channel: string, address: string, rest: { verified?: boolean; details?: unknown } = {}): Promise<string> {
    const id = `cnt_${user}_${channel}_${address.length}`;
    await this.rows(
      `INSERT INTO contact (t, id, user_id, channel, address, details, label, created_at, verified_at)
       VALUES ('acme', $1, $2, $3, $4, $5, '', now(), $6)`,
      [id, user, channel, address, JSON.stringify(rest.details ?? {}), rest.verified === false ? null : new Date()],
    );
    return id;
  }

  /** Writes items into the inbox as the decider does; the ids of their deliveries. */
  async items(
    user: string,
    count: number,
    rest: { kind?: string; urgency?: string; escalates?: string; expiresAt?: Date; scopes?: string[][] } = {},
  ): Promise<string[]> {
    const [{ from }] = (await this.rows<{ from: number }>(
      `INSERT INTO inbox_head (t, user_id, epoch, head_offset) VALUES ('acme', $1, 'epoch-1', $2)
       ON CONFLICT (t, user_id) DO UPDATE SET head_offset = inbox_head.head_offset + $2 RETURNING head_offset - $2 AS from`,
      [user, count],
    )) as [{ from: number }];
    const ids = Array.from({ length: count }, (_, index) => `dlv_${user}_${from + index + 1}`);
    const { kind = 'notification', urgency = 'P1', escalates = null, expiresAt = null, scopes } = rest;
    await this.rows(
      `INSERT INTO inbox_item (t, user_id, inbox_offset, delivery_id, kind, priority, title, events, reasons, created_at, urgency, escalates, expires_at,
                               scopes)
       SELECT 'acme', $1, $2 + ordinality, id, $4, 'high', 'Import finished', '[]', '[]', '2026-11-21T10:00:00Z', $5, $6, $7, $8
         FROM unnest($3::text[]) WITH ORDINALITY AS new (id, ordinality)`,
      [user, from, ids, kind, urgency, escalates, expiresAt, scopes === undefined ? null : JSON.stringify(scopes)],
    );
    return ids;
  }

  /** What the decider writes for a channel of a delivery. `afterMs`: how long after the item itself. */
  async command(
    user: string,
    deliveryId: string,
    channel: string,
    rest: { level?: number; afterMs?: number; kind?: string; msgId?: string; events?: Command['item']['events'] } = {},
  ): Promise<void> {
    const createdAt = Date.parse('2026-11-21T10:00:00Z');
    const data: Command = {
      user,
      deliveryId,
      channel,
      level: rest.level ?? 0,
      priority: 'P1',
      decidedAt: new Date(createdAt + (rest.afterMs ?? 0)).toISOString(),
      item: {
        offset: 1,
        id: deliveryId,
        kind: rest.kind ?? 'notification',
        priority: 'high',
        title: 'Import finished',
        events: rest.events ?? [],
        reasons: [],
        state: 'new',
        createdAt: new Date(createdAt).toISOString(),
      },
    };
    const id = rest.msgId ?? `${deliveryId}:${channel}:${data.level}`;
    await this.bus.publish(pushDeliveryContracts.deliverCommand, { tenant: 'acme', key: [String(partitionOf('acme', user)), user], data, id, msgId: id });
  }

  /** `channel status error` of every attempt for the delivery, in order. */
  async attempts(deliveryId: string): Promise<string[]> {
    const rows = await this.rows<{ line: string }>(
      `SELECT concat_ws(' ', channel, status, error) AS line FROM delivery_attempt WHERE delivery_id = $1 ORDER BY channel, level, contact, n`,
      [deliveryId],
    );
    return rows.map(({ line }) => line);
  }

  untilAttempts(deliveryId: string, expected: (lines: string[]) => boolean): Promise<string[]> {
    return waitFor(
      async () => {
        const lines = await this.attempts(deliveryId);
        return expected(lines) ? lines : undefined;
      },
      { what: `attempts of ${deliveryId}` },
    );
  }

  /** Dead letters about a user. */
  async parked(user: string) {
    return (await listParked(this.bus, { tenant: 'acme', consumer: 'push-deliver' })).filter(({ originSubject }) => originSubject.endsWith(`.${user}`));
  }

  async stop(): Promise<void> {
    await this.pool.close();
    await this.database.drop();
    await this.mesh.stop();
    this.folder.remove();
  }
}
