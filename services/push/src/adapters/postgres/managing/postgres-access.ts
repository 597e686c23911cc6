import type { Tx } from '@plexus/database';
import { type Decided, EVERYBODY } from '../../../application/managing/log-change.js';
import type { AccessPage, AccessScope, AccessStore, StoredAccess } from '../../../application/managing/manage-access.js';
import type { AccessChange, KnownAccess, Said } from '../../../domain/managing/access.js';
import type { ManagedChanges } from './managed-changes.js';

const COLUMNS = 'user_id AS "user", scope_kind AS "scopeKind", scope_ref AS "scopeRef", granted, until, said_at AS "saidAt", said_seq AS seq, said_by AS "by"';

const KNOWN = `SELECT ${COLUMNS} FROM access_grant WHERE t = $1 AND scope_kind = $2 AND scope_ref = $3 AND user_id = ANY($4::text[])`;

const WRITE = `
  INSERT INTO access_grant (t, scope_kind, scope_ref, user_id, granted, until, said_at, said_seq, said_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  ON CONFLICT (t, scope_kind, scope_ref, user_id) DO UPDATE
     SET granted = excluded.granted, until = excluded.until, said_at = excluded.said_at, said_seq = excluded.said_seq, said_by = excluded.said_by`;

const PAGE = `
  SELECT ${COLUMNS} FROM access_grant
   WHERE t = $1 AND user_id <> '_' AND ($2::text IS NULL OR user_id = $2) AND ($3::text IS NULL OR scope_kind = $3) AND ($4::text IS NULL OR scope_ref = $4)
     AND ($5::text IS NULL OR (scope_kind COLLATE "C", scope_ref COLLATE "C", user_id COLLATE "C") > ($5, $6, $7))
   ORDER BY scope_kind COLLATE "C", scope_ref COLLATE "C", user_id COLLATE "C" LIMIT $8::int`;

const RESTRICTED = `
  SELECT g.scope_kind AS "scopeKind", g.scope_ref AS "scopeRef"
    FROM (SELECT DISTINCT kind, ref FROM unnest($2::text[], $3::text[]) AS s (kind, ref)) AS wanted
    JOIN access_grant g ON g.t = $1 AND g.scope_kind = wanted.kind AND g.scope_ref = wanted.ref AND g.user_id = '_' AND g.granted
   ORDER BY 1, 2`;

interface Row extends AccessScope {
  readonly user: string;
  readonly granted: boolean;
  readonly until: Date | null;
  readonly saidAt: Date;
  readonly seq: number;
  readonly by: string;
}

export class PostgresAccess implements AccessStore {
  constructor(private readonly changes: ManagedChanges) {}

  change<T>(tenant: string, scope: AccessScope, user: string, decide: (known: KnownAccess) => Decided<T> & { readonly change?: AccessChange }): Promise<T> {
    return this.changes.run(tenant, [`scope:${scope.scopeKind}:${scope.scopeRef}`], async (tx) => {
      const rows = await tx.query<Row>('push_known_access', KNOWN, [tenant, scope.scopeKind, scope.scopeRef, [user, EVERYBODY]]);
      const saidOf = (whose: string) => rows.filter((row) => row.user === whose).map(toAccess)[0];
      const [ofScope, ofUser] = [saidOf(EVERYBODY), user === EVERYBODY ? undefined : saidOf(user)];
      const { change, ...decided } = decide({ ...(ofScope && { scope: ofScope }), ...(ofUser && { user: ofUser }) });
      if (change?.user !== undefined) await write(tx, tenant, scope, user, change.user);
      if (change?.scope !== undefined) await write(tx, tenant, scope, EVERYBODY, change.scope);
      return decided;
    });
  }

  async page(tenant: string, { user, scopeKind, scopeRef, after, limit }: AccessPage): Promise<StoredAccess[]> {
    const behind = [after?.scopeKind ?? null, after?.scopeRef ?? null, after?.user ?? null];
    const filters = [user ?? null, scopeKind ?? null, scopeRef ?? null];
    const rows = await this.changes.database.query<Row>('push_page_access', PAGE, [tenant, ...filters, ...behind, limit]);
    return rows.map(toAccess);
  }

  restricted(tenant: string, scopes: readonly AccessScope[]): Promise<AccessScope[]> {
    const [kinds, refs] = [scopes.map(({ scopeKind }) => scopeKind), scopes.map(({ scopeRef }) => scopeRef)];
    return this.changes.database.query<AccessScope & Record<string, unknown>>('push_restricted_scopes', RESTRICTED, [tenant, kinds, refs]);
  }
}

async function write(tx: Tx, tenant: string, { scopeKind, scopeRef }: AccessScope, user: string, { granted, until, at, seq, by }: Said): Promise<void> {
  const end = until === undefined ? null : new Date(until);
  await tx.query('push_write_access', WRITE, [tenant, scopeKind, scopeRef, user, granted, end, new Date(at), seq, by]);
}

function toAccess({ until, saidAt, ...rest }: Row): StoredAccess {
  return { ...rest, at: saidAt.getTime(), ...(until === null ? {} : { until: until.getTime() }) };
}
