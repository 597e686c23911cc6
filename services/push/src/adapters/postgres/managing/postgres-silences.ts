import type { Decided } from '../../../application/managing/log-change.js';
import type { SilencePage, SilenceStore } from '../../../application/managing/manage-silences.js';
import type { StoredSilence } from '../../../domain/managing/silence.js';
import type { ManagedChanges } from './managed-changes.js';

const COLUMNS = `
  id, user_id AS "user", matchers, starts_at AS "from", ends_at AS "to", include_critical AS "includeCritical", reason, created_by AS "createdBy",
  created_at AS "createdAt", ended_by AS "endedBy", ended_at AS "endedAt", version`;

const PAGE = `
  SELECT ${COLUMNS} FROM silence
   WHERE t = $1 AND user_id = $2 AND ($3 OR (ends_at > $4 AND ended_at IS NULL))
     AND ($5::timestamptz IS NULL OR (ends_at, id COLLATE "C") < ($5, $6))
   ORDER BY ends_at DESC, id COLLATE "C" DESC LIMIT $7::int`;

const OPEN = 'SELECT count(*)::int AS open FROM silence WHERE t = $1 AND user_id = $2 AND ends_at > $3 AND ended_at IS NULL';

const WRITE = `
  INSERT INTO silence (t, id, user_id, matchers, starts_at, ends_at, include_critical, reason, created_by, created_at, ended_by, ended_at)
  VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10, $11, $12)
  ON CONFLICT (t, id) DO UPDATE
    SET matchers = excluded.matchers, ends_at = excluded.ends_at, include_critical = excluded.include_critical, reason = excluded.reason,
        ended_by = excluded.ended_by, ended_at = excluded.ended_at, version = silence.version + 1`;

type Instants = 'from' | 'to' | 'createdAt';
type Row = Omit<StoredSilence, Instants | 'endedBy' | 'endedAt'> &
  Readonly<Record<Instants, Date>> & { readonly endedBy: string | null; readonly endedAt: Date | null };

export class PostgresSilences implements SilenceStore {
  constructor(private readonly changes: ManagedChanges) {}

  async get(tenant: string, id: string): Promise<StoredSilence | undefined> {
    const [row] = await this.changes.database.query<Row>('push_get_silence', `SELECT ${COLUMNS} FROM silence WHERE t = $1 AND id = $2`, [tenant, id]);
    return row && toSilence(row);
  }

  async page(tenant: string, user: string, { expired, now, after, limit }: SilencePage): Promise<StoredSilence[]> {
    const last = after === undefined ? null : new Date(after.to);
    const rows = await this.changes.database.query<Row>('push_page_silences', PAGE, [tenant, user, expired, new Date(now), last, after?.id ?? '', limit]);
    return rows.map(toSilence);
  }

  change<T>(
    tenant: string,
    user: string,
    id: string,
    now: number,
    decide: (found: StoredSilence | undefined, open: number) => Decided<T> & { readonly next?: StoredSilence | 'remove' },
  ): Promise<T> {
    return this.changes.run(tenant, [user], async (tx) => {
      const [row] = await tx.query<Row>('push_get_own_silence', `SELECT ${COLUMNS} FROM silence WHERE t = $1 AND id = $2 AND user_id = $3`, [tenant, id, user]);
      const [counted] = await tx.query<{ open: number }>('push_count_silences', OPEN, [tenant, user, new Date(now)]);
      const { next, ...decided } = decide(row && toSilence(row), counted?.open ?? 0);
      if (next === 'remove') await tx.query('push_remove_silence', 'DELETE FROM silence WHERE t = $1 AND id = $2', [tenant, id]);
      else if (next !== undefined) await tx.query('push_write_silence', WRITE, valuesOf(tenant, next));
      return decided;
    });
  }
}

function valuesOf(tenant: string, silence: StoredSilence): unknown[] {
  const { id, user, matchers, from, to, includeCritical, reason, createdBy, createdAt, endedBy, endedAt } = silence;
  const ended = endedAt === undefined ? null : new Date(endedAt);
  const said = [JSON.stringify(matchers), new Date(from), new Date(to), includeCritical, reason, createdBy, new Date(createdAt)];
  return [tenant, id, user, ...said, endedBy ?? null, ended];
}

function toSilence({ from, to, createdAt, endedBy, endedAt, ...rest }: Row): StoredSilence {
  return {
    ...rest,
    from: from.getTime(),
    to: to.getTime(),
    createdAt: createdAt.getTime(),
    ...(endedBy === null ? {} : { endedBy }),
    ...(endedAt === null ? {} : { endedAt: endedAt.getTime() }),
  };
}
