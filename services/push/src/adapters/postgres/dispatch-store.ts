import type { Database } from '@plexus/database';
import type { DispatchStore, StoredRule, StoredRun } from '../../application/triggers/trigger-ports.js';
import { RULE_COLUMNS, RULE_WRITTEN, type RuleRow, RUN_COLUMNS, type RunRow, toRule, toRun } from './trigger-rows.js';

const SAVE = `
  INSERT INTO dispatch_rule (${RULE_WRITTEN}) VALUES ($1, $2, $3, $4, $5::json, $6::json, $7::json, $8, $9, $10, 0, $11)
  ON CONFLICT (t, id) DO UPDATE
    SET user_id = excluded.user_id, name = excluded.name, match = excluded.match, research = excluded.research, notify = excluded.notify,
        recipients = excluded.recipients, max_per_hour = excluded.max_per_hour, enabled = excluded.enabled, version = dispatch_rule.version + 1
  RETURNING ${RULE_COLUMNS}, (xmax = 0) AS created`;

/** Dispatch rules, and what became of the runs. */
export class PostgresDispatchStore implements DispatchStore {
  constructor(private readonly database: Database) {}

  async saveRule(rule: StoredRule, most: number): Promise<{ readonly rule: StoredRule; readonly created: boolean } | 'too_many'> {
    return this.database.transaction(async (tx) => {
      await tx.query('push_lock_rules', 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) AS locked', [`dispatch-rules:${rule.tenant}`]);
      const [row] = await tx.query<RuleRow & { created: boolean }>('push_save_rule', SAVE, valuesOf(rule));
      const [counted] = await tx.query<{ rules: number }>('push_count_rules', 'SELECT count(*)::int AS rules FROM dispatch_rule WHERE t = $1', [rule.tenant]);
      if (row?.created === true && (counted?.rules ?? 0) > most) {
        await tx.query('push_unsave_rule', 'DELETE FROM dispatch_rule WHERE t = $1 AND id = $2', [rule.tenant, rule.id]);
        return 'too_many';
      }
      return { rule: toRule(row as RuleRow), created: row?.created === true };
    });
  }

  async changeRule(tenant: string, id: string, edit: (found: StoredRule) => StoredRule): Promise<StoredRule | undefined> {
    return this.database.transaction(async (tx) => {
      const sql = `SELECT ${RULE_COLUMNS} FROM dispatch_rule WHERE t = $1 AND id = $2 FOR UPDATE`;
      const [found] = await tx.query<RuleRow>('push_edit_rule', sql, [tenant, id]);
      if (found === undefined) return undefined;
      const before = toRule(found);
      const edited = edit(before);
      if (edited === before) return before;
      const [row] = await tx.query<RuleRow>('push_save_rule', SAVE, valuesOf(edited));
      return row && toRule(row);
    });
  }

  async rules(tenant: string): Promise<StoredRule[]> {
    return (await this.database.query<RuleRow>('push_rules', `SELECT ${RULE_COLUMNS} FROM dispatch_rule WHERE t = $1 ORDER BY id`, [tenant])).map(toRule);
  }

  async removeRule(tenant: string, id: string): Promise<boolean> {
    return (await this.database.query('push_remove_rule', 'DELETE FROM dispatch_rule WHERE t = $1 AND id = $2 RETURNING 1 AS gone', [tenant, id])).length > 0;
  }

  async run(tenant: string, id: string): Promise<StoredRun | undefined> {
    const [row] = await this.database.query<RunRow>('push_find_run', `SELECT ${RUN_COLUMNS} FROM dispatch_run WHERE t = $1 AND id = $2`, [tenant, id]);
    return row && toRun(row);
  }

  async runs(tenant: string, { owner, sourceId, limit }: Parameters<DispatchStore['runs']>[1]): Promise<StoredRun[]> {
    const sql = `
      SELECT ${RUN_COLUMNS} FROM dispatch_run
       WHERE t = $1 AND ($2::text IS NULL OR user_id = $2) AND ($3::text IS NULL OR source_id = $3) ORDER BY created_at DESC, id DESC LIMIT $4`;
    return (await this.database.query<RunRow>('push_list_runs', sql, [tenant, owner ?? null, sourceId ?? null, limit])).map(toRun);
  }
}

function valuesOf({ tenant, id, owner, name, match, research, notify: { to, ...notify }, maxPerHour, enabled, createdAt }: StoredRule): unknown[] {
  const named = Array.isArray(to);
  return [
    ...[tenant, id, owner, name, JSON.stringify(match), JSON.stringify(research), JSON.stringify({ ...notify, to: named ? 'users' : to })],
    ...[named ? to : [], maxPerHour, enabled, new Date(createdAt)],
  ];
}
