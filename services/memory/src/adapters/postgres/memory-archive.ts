import type { Database } from '@plexus/database';
import type { ArchivedMemory, Extent, MemoryArchive } from '../../application/archive-ports.js';
import { extentClause } from './extent-clause.js';
import { MEMORY_COLUMNS, type MemoryRow } from './memory-row.js';
import { inTenant } from './tenant-transaction.js';

interface ArchiveRow extends MemoryRow {
  readonly root_id: string | null;
}

export class PostgresMemoryArchive implements MemoryArchive {
  constructor(private readonly database: Database) {}

  async page(tenant: string, extent: Extent, at: { readonly now: Date; readonly asOf: Date }, after: string, limit: number): Promise<ArchivedMemory[]> {
    const clause = extentClause(extent);
    const [now, asOf, id, most] = [0, 1, 2, 3].map((offset) => `$${clause.next + offset}`);
    const text = `
      SELECT ${MEMORY_COLUMNS}, m.root_id FROM memory m
       WHERE ${clause.text} AND m.deleted_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > ${now}) AND m.created_at <= ${asOf} AND m.id > ${id}
       ORDER BY m.id LIMIT ${most}`;
    const parameters = [tenant, ...clause.parameters, at.now, at.asOf, after, limit];
    const rows = await inTenant(this.database, tenant, (tx) => tx.query<ArchiveRow>(`memory_archive_${clause.name}`, text, parameters), { readOnly: true });
    return rows.map((row) => toArchived(row, at.asOf));
  }
}

function toArchived(row: ArchiveRow, asOf: Date): ArchivedMemory {
  const instant = (name: string, value: Date | null) => (value === null ? {} : { [name]: value.toISOString() });
  // What was replaced after the export began was not replaced in it: its successor is not there.
  const superseded = row.superseded_at !== null && row.superseded_at <= asOf;
  return {
    id: row.id,
    scope: { kind: row.scope_kind, id: row.scope_id },
    ...(row.owner === '' ? {} : { owner: row.owner }),
    namespace: row.namespace,
    kind: row.kind,
    content: row.content,
    ...(row.importance === null ? {} : { importance: row.importance }),
    ...(row.metadata === null ? {} : { metadata: row.metadata }),
    ...(row.author === null ? {} : { author: row.author }),
    ...(row.origin === null ? {} : { origin: row.origin }),
    createdAt: row.created_at.toISOString(),
    ...instant('expiresAt', row.expires_at),
    ...instant('validFrom', row.valid_from),
    ...instant('validTo', row.valid_to),
    ...(row.evergreen ? { evergreen: true } : {}),
    rev: row.rev,
    ...(row.root_id === null ? {} : { rootId: row.root_id }),
    ...(superseded && row.superseded_by !== null ? { supersededBy: row.superseded_by } : {}),
    ...(superseded ? instant('supersededAt', row.superseded_at) : {}),
    seenCount: row.seen_count,
  };
}
