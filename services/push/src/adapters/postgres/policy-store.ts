import { appendOutbox, type Database, type OutboxMessage, type Tx, withAdvisoryLock } from '@plexus/database';
import { toStorableText } from '@plexus/kernel';
import {
  type Activation,
  isRefusal,
  type PolicyDraft,
  type PolicyState,
  type PolicyStore,
  type Refusal,
  type StoredPolicy,
  type TestReport,
} from '../../application/policies/policy-ports.js';

const COLUMNS = `version, name, body, text, digest, state, tests, notes, created_by, created_at, tested_at, activated_at, activated_by, activated_seq, retired_at`;
const GET = `SELECT ${COLUMNS} FROM policy WHERE t = $1 AND version = $2`;
const LOCK = `${GET} FOR UPDATE`;
const ACTIVE = `SELECT ${COLUMNS} FROM policy WHERE t = $1 AND state = 'active'`;
const PREVIOUS = `SELECT ${COLUMNS} FROM policy WHERE t = $1 AND state = 'retired' AND activated_at IS NOT NULL ORDER BY retired_at DESC, version DESC LIMIT 1`;
const LIST = `SELECT ${COLUMNS} FROM policy WHERE t = $1 AND version < $2 ORDER BY version DESC LIMIT $3`;
const COUNT = `SELECT count(*)::int AS kept, coalesce(max(version), 0) AS newest FROM policy WHERE t = $1`;
const INSERT = `
  INSERT INTO policy (t, version, name, body, text, digest, state, notes, created_by)
  VALUES ($1, $2, $3, $4::json, $5, $6, 'draft', $7, $8) RETURNING ${COLUMNS}`;
const REPLACE = `
  UPDATE policy SET name = $3, body = $4::json, text = $5, digest = $6, state = 'draft', notes = coalesce($7, notes), tests = NULL, tested_at = NULL
   WHERE t = $1 AND version = $2 RETURNING ${COLUMNS}`;
const REPORT = `
  UPDATE policy SET tests = $4::json, tested_at = now(), state = CASE WHEN state NOT IN ('draft', 'tested') THEN state WHEN $5 THEN 'tested' ELSE 'draft' END
   WHERE t = $1 AND version = $2 AND text = $3 RETURNING ${COLUMNS}`;
const RETIRE_ACTIVE = `UPDATE policy SET state = 'retired', retired_at = clock_timestamp() WHERE t = $1 AND state = 'active'`;
const ACTIVATE = `
  UPDATE policy SET state = 'active', tests = $3::json, tested_at = now(), activated_at = clock_timestamp(), activated_by = $4, activated_seq = NULL, retired_at = NULL
   WHERE t = $1 AND version = $2 RETURNING ${COLUMNS}`;
const RETIRE = `UPDATE policy SET state = 'retired', retired_at = clock_timestamp() WHERE t = $1 AND version = $2 RETURNING ${COLUMNS}`;
const NOTE_SEQ = `UPDATE policy SET activated_seq = $3 WHERE t = $1 AND version = $2 AND state = 'active' AND activated_seq IS NULL`;

/** Drafts are kept until somebody retires them; more than this is a program gone wrong. */
const MAX_POLICIES = 1_000;

interface Row {
  readonly version: number;
  readonly name: string;
  readonly body: StoredPolicy['body'];
  readonly text: string;
  readonly digest: string;
  readonly state: PolicyState;
  readonly tests: TestReport | null;
  readonly notes: string | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly tested_at: Date | null;
  readonly activated_at: Date | null;
  readonly activated_by: string | null;
  readonly activated_seq: number | null;
  readonly retired_at: Date | null;
}

/** What an activation writes into the log; `activation` makes each of them an entry of its own, also when a version comes back. */
export type EncodeActivation = (tenant: string, activation: string, policy: Pick<StoredPolicy, 'version' | 'body'>) => OutboxMessage[];

/** Policies on Postgres. One advisory lock per tenant serialises whoever writes: numbers have no gaps, and activations no order but that of the lock. */
export class PostgresPolicyStore implements PolicyStore {
  constructor(
    private readonly database: Database,
    private readonly newId: () => string,
    private readonly encode: EncodeActivation,
    private readonly afterCommit: () => void,
  ) {}

  put(tenant: string, { read, by, notes, version }: PolicyDraft): Promise<StoredPolicy | Refusal> {
    const said = [read.body.name, JSON.stringify(read.body), read.text, read.digest, notes === undefined ? null : toStorableText(notes)];
    return this.#exclusively(tenant, async (tx) => {
      if (version !== undefined) {
        const refused = await refusalOf(tx, tenant, version, ['draft', 'tested']);
        return refused ?? only(await tx.query<Row>('push_policy_replace', REPLACE, [tenant, version, ...said]));
      }
      const [counted] = await tx.query<{ kept: number; newest: number }>('push_policy_count', COUNT, [tenant]);
      if ((counted?.kept ?? 0) >= MAX_POLICIES) return { refused: 'too-many' };
      return only(await tx.query<Row>('push_policy_insert', INSERT, [tenant, (counted?.newest ?? 0) + 1, ...said, by]));
    });
  }

  async get(tenant: string, version: number): Promise<StoredPolicy | undefined> {
    return first(await this.database.query<Row>('push_policy_get', GET, [tenant, version]));
  }

  async active(tenant: string): Promise<StoredPolicy | undefined> {
    return first(await this.database.query<Row>('push_policy_active', ACTIVE, [tenant]));
  }

  async previouslyActive(tenant: string): Promise<StoredPolicy | undefined> {
    return first(await this.database.query<Row>('push_policy_previous', PREVIOUS, [tenant]));
  }

  async list(tenant: string, { limit, before }: { readonly limit: number; readonly before?: number }): Promise<StoredPolicy[]> {
    const rows = await this.database.query<Row>('push_policy_list', LIST, [tenant, Math.min(before ?? MAX_INT, MAX_INT), limit]);
    return rows.map(toPolicy);
  }

  async saveReport(tenant: string, version: number, text: string, report: TestReport): Promise<StoredPolicy | undefined> {
    return first(await this.database.query<Row>('push_policy_report', REPORT, [tenant, version, text, JSON.stringify(report), report.passed]));
  }

  async activate(tenant: string, { version, text, replaces, by, report, from }: Activation): Promise<StoredPolicy | Refusal> {
    const activated = await this.#exclusively(tenant, async (tx): Promise<StoredPolicy | Refusal> => {
      const refused = await refusalOf(tx, tenant, version, from);
      if (refused !== undefined) return refused;
      const active = first(await tx.query<Row>('push_policy_active', ACTIVE, [tenant]));
      if ((active?.version ?? 0) !== replaces) return { refused: 'active-changed' };
      const wanted = first(await tx.query<Row>('push_policy_get', GET, [tenant, version]));
      if (wanted?.text !== text) return { refused: 'changed' };
      await tx.query('push_policy_retire_active', RETIRE_ACTIVE, [tenant]);
      const policy = only(await tx.query<Row>('push_policy_activate', ACTIVATE, [tenant, version, JSON.stringify(report), by]));
      await appendOutbox(tx, this.encode(tenant, `${version}-${this.newId()}`, policy));
      return policy;
    });
    if (!isRefusal(activated)) this.afterCommit();
    return activated;
  }

  async deactivate(tenant: string, replaces: number, builtIn: Pick<StoredPolicy, 'version' | 'body'>): Promise<Refusal | undefined> {
    const refused = await this.#exclusively(tenant, async (tx): Promise<Refusal | undefined> => {
      const active = first(await tx.query<Row>('push_policy_active', ACTIVE, [tenant]));
      if (active?.version !== replaces) return { refused: 'active-changed' };
      await tx.query('push_policy_retire_active', RETIRE_ACTIVE, [tenant]);
      await appendOutbox(tx, this.encode(tenant, `${builtIn.version}-${this.newId()}`, builtIn));
      return undefined;
    });
    if (refused === undefined) this.afterCommit();
    return refused;
  }

  retire(tenant: string, version: number): Promise<StoredPolicy | Refusal> {
    return this.#exclusively(tenant, async (tx) => {
      const refused = await refusalOf(tx, tenant, version, ['draft', 'tested', 'retired']);
      if (refused !== undefined) return refused;
      const policy = only(await tx.query<Row>('push_policy_get', GET, [tenant, version]));
      return policy.state === 'retired' ? policy : only(await tx.query<Row>('push_policy_retire', RETIRE, [tenant, version]));
    });
  }

  async noteSeq(tenant: string, version: number, seq: number): Promise<void> {
    await this.database.query('push_policy_note_seq', NOTE_SEQ, [tenant, version, seq]);
  }

  #exclusively<T>(tenant: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.database.transaction((tx) => withAdvisoryLock(tx, `push-policy:${this.database.schema}:${tenant}`, () => work(tx)));
  }
}

/** Largest value of the column. */
const MAX_INT = 2_147_483_647;

async function refusalOf(tx: Tx, tenant: string, version: number, states: readonly PolicyState[]): Promise<Refusal | undefined> {
  if (version > MAX_INT) return { refused: 'unknown' };
  const [row] = await tx.query<Row>('push_policy_lock', LOCK, [tenant, version]);
  if (row === undefined) return { refused: 'unknown' };
  return states.includes(row.state) ? undefined : { refused: 'wrong-state' };
}

function only(rows: readonly Row[]): StoredPolicy {
  const policy = first(rows);
  if (policy === undefined) throw new Error('a policy vanished while it was locked');
  return policy;
}

function first([row]: readonly Row[]): StoredPolicy | undefined {
  return row === undefined ? undefined : toPolicy(row);
}

function toPolicy(row: Row): StoredPolicy {
  const { version, name, body, text, digest, state } = row;
  return {
    version,
    name,
    body,
    text,
    digest,
    state,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    ...(row.tests === null ? {} : { report: row.tests }),
    ...(row.notes === null ? {} : { notes: row.notes }),
    ...(row.tested_at === null ? {} : { testedAt: row.tested_at.toISOString() }),
    ...(row.activated_at === null ? {} : { activatedAt: row.activated_at.toISOString() }),
    ...(row.activated_by === null ? {} : { activatedBy: row.activated_by }),
    ...(row.activated_seq === null ? {} : { activatedSeq: row.activated_seq }),
    ...(row.retired_at === null ? {} : { retiredAt: row.retired_at.toISOString() }),
  };
}
