import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { identify, isRunning } from '@plexus/local-stack';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { createTestDatabase, startTestNats, startTestPostgres, throwAwayFolder, waitFor } from '../src/index.js';

describe('startTestNats', () => {
  it('gives a server with JetStream whose store survives a kill and whose port stays the same', async () => {
    const nats = await startTestNats();
    try {
      const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
      const manager = await jetstreamManager(connection, { timeout: 15_000 });
      await manager.streams.add({ name: 'THINGS', subjects: ['things.>'] });
      const before = nats.pid;
      await nats.kill();
      await nats.restart();
      expect(nats.pid).not.toBe(before);
      const info = await waitFor(() => manager.streams.info('THINGS'), { what: 'the stream after the restart' });
      expect(info.config.subjects).toEqual(['things.>']);
      await connection.close();
    } finally {
      await nats.stop();
    }
  });
});

describe('createTestDatabase', () => {
  const migrations = (): string => {
    const folder = throwAwayFolder('migrations').path;
    mkdirSync(path.join(folder, '0001_things'));
    writeFileSync(path.join(folder, '0001_things', 'migration.sql'), 'create table thing (id int primary key);');
    return folder;
  };

  it('gives two callers databases that do not see each other, with the migrations applied', async () => {
    const folder = migrations();
    const [one, two] = await Promise.all([createTestDatabase(folder, 'shop'), createTestDatabase(folder, 'shop')]);
    const client = new pg.Client({ connectionString: one.url });
    await client.connect();
    await client.query('insert into shop.thing values (1)');
    await client.end();
    const other = new pg.Client({ connectionString: two.url });
    await other.connect();
    expect((await other.query('select * from shop.thing')).rowCount).toBe(0);
    await other.end();
    await Promise.all([one.drop(), two.drop()]);
  });

  it('a migration that fails leaves no template behind that looks complete', async () => {
    const folder = migrations();
    mkdirSync(path.join(folder, '0002_broken'));
    writeFileSync(path.join(folder, '0002_broken', 'migration.sql'), 'create table thing (id int);');
    await expect(createTestDatabase(folder)).rejects.toThrow('already exists');
    await expect(createTestDatabase(folder)).rejects.toThrow('already exists');
  });
});

describe('startTestPostgres', () => {
  it('recovers committed rows after a kill, on the same port', async () => {
    const postgres = await startTestPostgres();
    try {
      const before = new pg.Client({ connectionString: postgres.url() });
      before.on('error', () => {});
      await before.connect();
      await before.query('create table kept as select 42 as answer');
      await postgres.kill();
      await postgres.restart();
      const after = new pg.Client({ connectionString: postgres.url() });
      await after.connect();
      expect((await after.query('select answer from kept')).rows).toEqual([{ answer: 42 }]);
      await after.end();
    } finally {
      await postgres.stop();
    }
  });

  it('takes its sessions with it when it is killed, busy ones too, so that nothing commits afterwards', async () => {
    const postgres = await startTestPostgres({ fsync: false });
    try {
      const busy = new pg.Client({ connectionString: postgres.url() });
      busy.on('error', () => {});
      await busy.connect();
      const pid = (await busy.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0;
      const session = identify(pid);
      expect(session).toBeDefined();
      // Computes without a look at whether the postmaster is there.
      const work = busy.query('select sum(i) from generate_series(1, 2000000000) as i').catch((error: Error) => error);
      const look = new pg.Client({ connectionString: postgres.url() });
      look.on('error', () => {});
      await look.connect();
      await waitFor(async () => (await look.query(`select 1 from pg_stat_activity where pid = ${pid} and state = 'active'`)).rowCount === 1);
      await postgres.kill();
      expect(session !== undefined && isRunning(session)).toBe(false);
      expect(await work).toBeInstanceOf(Error);
    } finally {
      await postgres.stop();
    }
  });
});

describe('what tests start', () => {
  it('is gone after the test process was killed', async () => {
    const script = `
      import { startTestNats, startTestPostgres, throwAwayFolder } from '@plexus/testing';
      const nats = await startTestNats();
      const postgres = await startTestPostgres({ fsync: false });
      console.log(JSON.stringify({ pids: [nats.pid, postgres.pid], folder: throwAwayFolder('probe').path }));
      process.kill(process.pid, 'SIGKILL');
    `;
    let output = '';
    try {
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd: path.join(import.meta.dirname, '..') });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    const { pids, folder } = JSON.parse(output) as { pids: number[]; folder: string };
    for (const pid of pids) {
      const identity = identify(pid);
      await waitFor(() => identity === undefined || !isRunning(identity), { what: `process ${pid} to be stopped by its guard` });
    }
    await waitFor(() => !existsSync(folder), { what: 'the folder to be removed' });
  });
});
