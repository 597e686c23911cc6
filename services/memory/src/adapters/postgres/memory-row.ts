import type { MemoryKind, StoredMemory } from '../../application/ports.js';
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
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly seen_count: number;
}

/** Columns of {@link MemoryRow}, of a memory called `m`. */
export const MEMORY_COLUMNS = `m.id, m.scope_kind, m.scope_id, m.owner, m.namespace, m.kind, m.content, m.importance, m.metadata,
  m.source ->> 'user' AS author, m.created_at, m.expires_at, m.seen_count`;

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
    createdAt: row.created_at,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    seenCount: row.seen_count,
  };
}
