import type { Extent } from '../../application/archive-ports.js';

export interface ExtentClause {
  /** Distinguishes the names of prepared statements. */
  readonly name: 'user' | 'scope';
  /** Condition on rows of a table with `tenant_id`, `scope_kind`, `scope_id`, `owner` and `source`, called `m`; `$1` is the tenant. */
  readonly text: string;
  /** From `$2` on. */
  readonly parameters: readonly unknown[];
  /** Number of the next free parameter. */
  readonly next: number;
}

/** Everything of a person, or of a scope, in SQL. */
export function extentClause(extent: Extent): ExtentClause {
  if ('user' in extent) {
    const text = `m.tenant_id = $1 AND ((m.scope_kind = 'user' AND m.scope_id = $2) OR m.owner = $2 OR m.source ->> 'user' = $2)`;
    return { name: 'user', text, parameters: [extent.user], next: 3 };
  }
  const { kind, id, owner } = extent.scope;
  const text = 'm.tenant_id = $1 AND m.scope_kind = $2 AND m.scope_id = $3 AND ($4::text IS NULL OR m.owner = $4)';
  return { name: 'scope', text, parameters: [kind, id, owner ?? null], next: 5 };
}
