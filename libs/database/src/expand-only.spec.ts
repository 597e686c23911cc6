import { readdirSync } from 'node:fs';
import path from 'node:path';
import { contractions } from './expand-only.js';
import { readMigrations } from './migration-files.js';

const SERVICES = path.resolve('../../services');
/** Of the first version, which has no predecessor that could run beside it. */
const FIRST_VERSION = 'there was no version before it whose replicas could run beside it';

/** Statements that take something away all the same, each with the reason why no replica of the version before minds. */
const ALLOWED: Readonly<Record<string, string>> = {
  'memory/20261121060000_vectors_and_revisions: DROP INDEX memory_content_key': FIRST_VERSION,
  'memory/20261121060000_vectors_and_revisions: CREATE UNIQUE INDEX memory_content_key': FIRST_VERSION,
  'memory/20261121080000_keys_links_archives: ALTER TABLE tenant ADD CONSTRAINT tenant_one_key_check': FIRST_VERSION,
  'memory/20261122000000_outbox_index: DROP INDEX outbox_published_at_idx': 'replaced by a narrower one; it carries no conflict rule',
  'push/20261122010000_managing: DROP INDEX subscription_t_user_id_scope_kind_scope_ref_key': FIRST_VERSION,
  'push/20261122010000_managing: CREATE UNIQUE INDEX': FIRST_VERSION,
  'push/20261122020000_deciding: ALTER TABLE decision DROP CONSTRAINT decision_pkey': FIRST_VERSION,
  'push/20261122020000_deciding: ALTER TABLE decision ADD': FIRST_VERSION,
  'routing/20261121100000_channels_and_grants: ALTER TABLE "runs" ADD CONSTRAINT "runs_queue_mode_check"': FIRST_VERSION,
  'scheduler/20261121020000_core: DROP INDEX vms_live_owner_key': FIRST_VERSION,
  'scheduler/20261121020000_core: CREATE UNIQUE INDEX': FIRST_VERSION,
  'scheduler/20261121020000_core: ALTER TABLE vms ADD': FIRST_VERSION,
};

function migrations(): { readonly name: string; readonly sql: string }[] {
  return readdirSync(SERVICES).flatMap((service) => {
    const directory = path.join(SERVICES, service, 'prisma', 'migrations');
    try {
      return readMigrations(directory).map(({ name, sql }) => ({ name: `${service}/${name}`, sql }));
    } catch {
      return []; // a service without tables
    }
  });
}

describe('a migration', () => {
  const all = migrations();

  it('is found for every service with tables', () => {
    expect(new Set(all.map(({ name }) => name.split('/')[0]))).toEqual(new Set(['memory', 'push', 'routing', 'scheduler']));
  });

  it('only adds, so that replicas of the version before work on while they are replaced', () => {
    const found = all.flatMap(({ name, sql }) => contractions(sql).map(({ statement, reason }) => `${name}: ${statement} (${reason})`));
    expect(found.filter((line) => !Object.keys(ALLOWED).some((allowed) => line.startsWith(allowed)))).toEqual([]);
    // What is allowed and not there any more has no business in the list.
    expect(Object.keys(ALLOWED).filter((allowed) => !found.some((line) => line.startsWith(allowed)))).toEqual([]);
  });

  it.each([
    'DROP TABLE sessions;',
    'ALTER TABLE sessions DROP COLUMN kind;',
    'ALTER TABLE "sessions" RENAME COLUMN "kind" TO "sort";',
    'ALTER TABLE sessions ALTER COLUMN kind TYPE INTEGER USING kind::integer;',
    'ALTER TABLE sessions ALTER COLUMN kind SET NOT NULL;',
    'ALTER TABLE sessions ADD COLUMN sort TEXT NOT NULL;',
    'ALTER TABLE sessions ADD COLUMN a TEXT, ADD COLUMN b NUMERIC(10, 2) NOT NULL;',
    'ALTER TABLE sessions ADD CONSTRAINT one UNIQUE (kind);',
    '-- harmless\nCREATE UNIQUE INDEX one ON sessions (kind);',
    'CREATE TABLE other (id TEXT); TRUNCATE sessions;',
  ])('that says %j is refused', (sql) => {
    expect(contractions(sql)).toHaveLength(1);
  });

  it.each([
    "CREATE TABLE sorts (id TEXT NOT NULL); CREATE UNIQUE INDEX one ON sorts (id); ALTER TABLE sorts ADD CONSTRAINT c CHECK (id <> '');",
    "ALTER TABLE sessions ADD COLUMN sort TEXT NOT NULL DEFAULT 'DROP TABLE sessions';",
    'ALTER TABLE sessions ADD COLUMN a TEXT, ADD COLUMN b BOOLEAN NOT NULL DEFAULT false;',
    'ALTER TABLE sessions ALTER COLUMN kind DROP NOT NULL;',
    "ALTER TABLE sessions ADD CONSTRAINT c CHECK (kind <> '') NOT VALID;",
    'CREATE INDEX two ON sessions (kind); -- DROP TABLE sessions;',
    'CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DROP TABLE x; $$;',
  ])('that says %j is taken', (sql) => {
    expect(contractions(sql)).toEqual([]);
  });
});
