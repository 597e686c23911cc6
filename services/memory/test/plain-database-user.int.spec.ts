import { silentLog } from '@plexus/bus';
import { createPool, type Database, migrate } from '@plexus/database';
import { createTestDatabase, type TestDatabase } from '@plexus/testing';
import { openDatabase } from '../src/adapters/postgres/open-database.js';
import { memoryOn, migrationsFolder, newCaller, note, query } from './support/backends.js';

/** Production gives a service a user of its own that is no superuser: row security binds even the owner of the tables then. */
describe('memory as an ordinary user of Postgres', () => {
  let test: TestDatabase;
  let admin: Database;
  let url: string;
  let user: string;

  beforeAll(async () => {
    test = await createTestDatabase();
    user = `plain_${test.name}`;
    admin = createPool({ url: test.url, schema: 'public', applicationName: 'admin', max: 1 });
    await admin.script(`CREATE ROLE ${user} LOGIN PASSWORD 'plain'; GRANT CREATE ON DATABASE ${test.name} TO ${user}`);
    const own = new URL(test.url);
    own.username = user;
    own.password = 'plain';
    url = own.href;
  });
  afterAll(async () => {
    await admin.script(`REASSIGN OWNED BY ${user} TO CURRENT_USER; DROP OWNED BY ${user}; DROP ROLE ${user}`);
    await admin.close();
    await test.drop();
  });

  const open = () => openDatabase({ url, schema: 'memory', applicationName: 'plain', connections: 4, migrate: false, log: silentLog });

  it('says what an administrator has to do, and works once it was done', async () => {
    await admin.script(`DO $$ BEGIN CREATE ROLE plexus_app NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    await migrate({ url, schema: 'memory', directory: migrationsFolder });
    await expect(open()).rejects.toThrow('GRANT plexus_app TO');

    await admin.script(`GRANT plexus_app TO ${user}`);
    const database = await open();
    const memory = memoryOn(database);
    const [me, other] = [newCaller(), newCaller()];
    await memory.write.execute(me, note('mine'), 'key');
    await memory.write.execute(other, note('theirs'));
    await expect(memory.search.execute(me, query('mine theirs'))).resolves.toMatchObject({ hits: [{ content: 'mine' }] });
    await expect(database.query('test_owner_sees', 'SELECT * FROM memory')).resolves.toEqual([]);
    await memory.clock.advance(10 * 24 * 3_600_000);
    await expect(memory.sweep.execute()).resolves.toBe(1);
    await database.close();
  });
});
