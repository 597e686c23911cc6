/** What is kept only for a while, and how long. Each statement removes a bounded number of rows; the next turn takes the rest. */
const BATCH = 5_000;

const remove = (table: string, key: string, condition: string): string =>
  `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} t WHERE ${condition} LIMIT ${BATCH})`;

export const PRUNE_STATEMENTS: readonly (readonly [name: string, sql: string])[] = [
  [
    'prune_outbox',
    remove(
      'vm_outbox',
      'id',
      // Frames of an open run stay: a hand-over asks which of them were acknowledged.
      `created_at < now() - interval '1 hour'
       AND (acked_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM vm_instances i WHERE i.epoch = t.epoch AND i.phase <> 'gone'))
       AND NOT EXISTS (SELECT 1 FROM vm_runs r WHERE r.vm_id = t.vm_id AND r.session_id = t.session_id AND r.run_id = t.run_id AND r.state = 'open')`,
    ),
  ],
  ['prune_tickets', remove('vm_tickets', 'hash', `expires_at < now() - interval '1 hour'`)],
  [
    'prune_runs',
    `DELETE FROM vm_runs WHERE ctid IN (SELECT ctid FROM vm_runs WHERE (state = 'ended' AND ended_at < now() - interval '7 days')
       OR (state = 'cancelled' AND created_at < now() - interval '1 day') LIMIT ${BATCH})`,
  ],
  ['prune_transitions', remove('vm_transitions', 'id', `at < now() - interval '30 days'`)],
  ['prune_audit', remove('vm_audit', 'id', `at < now() - interval '90 days'`)],
  ['prune_usage', remove('usage', 'id', `at < now() - interval '400 days'`)],
  [
    'prune_vms',
    remove(
      'vms',
      'id',
      `state IN ('failed', 'terminated') AND state_since < now() - interval '30 days' AND (workspace_removed_at IS NOT NULL OR host_id IS NULL)`,
    ),
  ],
];
