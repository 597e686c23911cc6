import { type OutboxMessage, outboxInsert, outboxParameters } from '@plexus/database';
import type { NewMemory } from '../../application/ports.js';

export interface Revision {
  readonly rev: number;
  /** The first revision; absent for that one itself. */
  readonly rootId?: string;
}

/** Terms hold letters, digits and the signs that join them. */
const BETWEEN_TERMS = '\u001f';

const COLUMNS = `tenant_id, id, scope_kind, scope_id, owner, namespace, kind, content, content_mac, match_mac, lex, lex_version, importance, source, metadata,
                           created_at, expires_at, valid_from, valid_to, evergreen, rev, root_id`;

/**
 * The second write of a content must live as long as it asked for, so the later expiry wins, and none wins over any. What it said anew
 * about importance and metadata replaces what was there. No row comes back when the one in the way has expired.
 */
const OR_SEEN_AGAIN = `
  ON CONFLICT (tenant_id, scope_kind, scope_id, owner, namespace, kind, content_mac) WHERE deleted_at IS NULL AND superseded_at IS NULL
  DO UPDATE SET seen_count = m.seen_count + 1,
                expires_at = CASE WHEN m.expires_at IS NULL OR EXCLUDED.expires_at IS NULL THEN NULL ELSE greatest(m.expires_at, EXCLUDED.expires_at) END,
                importance = coalesce(EXCLUDED.importance, m.importance),
                metadata = coalesce(EXCLUDED.metadata, m.metadata)
          WHERE m.expires_at IS NULL OR m.expires_at > EXCLUDED.created_at
  RETURNING m.id, m.content_mac`;

/** What a memory makes true is noted where it was created, in the same statement. */
const NOTED = (first: number): string => outboxInsert(first, 'm.about IN (SELECT id FROM written)');

/** One memory with its messages. The id of whichever memory has that content now. */
const ONE = `
  WITH written AS (
    INSERT INTO memory AS m (${COLUMNS})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, array_to_tsvector(string_to_array($11, '${BETWEEN_TERMS}')), $12, $13, $14::jsonb, $15::jsonb, $16, $17, $18,
            $19, $20, $21, $22)
    ${OR_SEEN_AGAIN}
  ), noted AS (${NOTED(23)})
  SELECT id, content_mac FROM written`;

/** Several with different contents. In the order of their contents, so that two such statements never wait for each other. */
const MANY = `
  WITH written AS (
    INSERT INTO memory AS m (${COLUMNS})
    SELECT $1, n.id, n.scope_kind, n.scope_id, n.owner, n.namespace, n.kind, n.content, n.content_mac, n.match_mac,
           array_to_tsvector(string_to_array(n.terms, '${BETWEEN_TERMS}')), n.lex_version, n.importance, n.source::jsonb, n.metadata::jsonb, n.created_at, n.expires_at,
           n.valid_from, n.valid_to, n.evergreen, n.rev, n.root_id
      FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::text[], $12::smallint[],
                  $13::real[], $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::timestamptz[], $20::boolean[],
                  $21::int[], $22::text[])
           AS n (id, scope_kind, scope_id, owner, namespace, kind, content, content_mac, match_mac, terms, lex_version, importance, source, metadata, created_at,
                 expires_at, valid_from, valid_to, evergreen, rev, root_id)
     ORDER BY n.content_mac
    ${OR_SEEN_AGAIN}
  ), noted AS (${NOTED(23)})
  SELECT id, content_mac FROM written`;

export interface WrittenRow {
  readonly id: string;
  readonly content_mac: Uint8Array;
}

export type AboutMemory = OutboxMessage & { readonly about: string };

export function writeOne(tenant: string, memory: NewMemory, revision: Revision, messages: readonly AboutMemory[]) {
  return { name: 'memory_write_one', text: ONE, params: [tenant, ...valuesOf(memory, revision), ...outboxParameters(messages)] };
}

/** Contents must be different: a statement may touch a row only once. */
export function writeMany(tenant: string, memories: readonly NewMemory[], messages: readonly AboutMemory[]) {
  const rows = memories.map((memory) => valuesOf(memory, { rev: 1 }));
  const columns = (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
  return { name: 'memory_write_many', text: MANY, params: [tenant, ...columns, ...outboxParameters(messages)] };
}

/** `$2` to `$22`. */
function valuesOf(memory: NewMemory, { rev, rootId }: Revision): unknown[] {
  const { place } = memory;
  return [
    memory.id,
    place.kind,
    place.id,
    place.owner,
    memory.namespace,
    memory.kind,
    memory.content,
    memory.contentMac,
    memory.matchMac,
    memory.terms.join(BETWEEN_TERMS),
    memory.lexVersion,
    memory.importance ?? null,
    JSON.stringify(memory.source),
    memory.metadata === undefined ? null : JSON.stringify(memory.metadata),
    memory.createdAt,
    memory.expiresAt ?? null,
    memory.validFrom ?? null,
    memory.validTo ?? null,
    memory.evergreen ?? false,
    rev,
    rootId ?? null,
  ];
}
