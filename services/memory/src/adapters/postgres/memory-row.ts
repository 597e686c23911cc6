import type { MemoryKind, MemoryOrigin, StoredMemory } from '../../application/ports.js';
import type { Scope } from '../../domain/access.js';

export interface MemoryRow {
  readonly id: string;
  readonly scope_kind: Scope['kind'];
  readonly scope_id: string;
  readonly owner: string;
  readonly namespace: string;
  readonly kind: MemoryKind;
  readonly content: string;
  readonly importance: number | null;
  readonly metadata: Record<string, unknown> | null;
  readonly author: string | null;
  readonly origin: MemoryOrigin | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly valid_from: Date | null;
  readonly valid_to: Date | null;
  readonly evergreen: boolean;
  readonly rev: number;
  readonly superseded_by: string | null;
  readonly superseded_at: Date | null;
  readonly seen_count: number;
}

/** Columns of {@link MemoryRow}, of a memory called `m`. */
export const MEMORY_COLUMNS = `m.id, m.scope_kind, m.scope_id, m.owner, m.namespace, m.kind, m.content, m.importance, m.metadata,
  m.source ->> 'user' AS author, m.source ->> 'origin' AS origin, m.created_at, m.expires_at, m.valid_from, m.valid_to, m.evergreen, m.rev, m.superseded_by,
  m.superseded_at, m.seen_count`;

/** What nobody may see is filtered in every statement, to the millisecond, whether or not it was swept. `$2` is now. */
export const LIVING = 'm.tenant_id = $1 AND m.deleted_at IS NULL AND (m.expires_at IS NULL OR m.expires_at > $2)';

export function toMemory(row: MemoryRow): StoredMemory {
  return {
    id: row.id,
    place: { kind: row.scope_kind, id: row.scope_id, owner: row.owner },
    namespace: row.namespace,
    kind: row.kind,
    content: row.content,
    ...(row.importance === null ? {} : { importance: row.importance }),
    ...(row.metadata === null ? {} : { metadata: row.metadata }),
    ...(row.author === null ? {} : { author: row.author }),
    ...(row.origin === null ? {} : { origin: row.origin }),
    createdAt: row.created_at,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.valid_from === null ? {} : { validFrom: row.valid_from }),
    ...(row.valid_to === null ? {} : { validTo: row.valid_to }),
    evergreen: row.evergreen,
    rev: row.rev,
    ...(row.superseded_by === null ? {} : { supersededBy: row.superseded_by }),
    ...(row.superseded_at === null ? {} : { supersededAt: row.superseded_at }),
    seenCount: row.seen_count,
  };
}
