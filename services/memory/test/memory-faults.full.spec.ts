import { memoryContracts } from '@plexus/contracts';
import { migrate } from '@plexus/database';
import { startTestPostgres, type TestPostgres, type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { migrationsFolder } from './support/backends.js';
import { MemoryProcess, startTestMesh, type TestMesh } from './support/mesh.js';

const { writeMemory, listMemories, writeMemoryCommand } = memoryContracts;

/** A real process, killed; real servers, killed and started again. */
describe('memory survives', () => {
  let mesh: TestMesh;
  let running: MemoryProcess[] = [];
  const start = async (url: string, env?: Record<string, string>) => {
    const started = await MemoryProcess.start(mesh, url, env);
    running.push(started);
    return started;
  };

  beforeAll(async () => {
    mesh = await startTestMesh();
  });
  afterAll(() => mesh?.stop());
  afterEach(async () => {
    await Promise.all(running.map((process) => process.end()));
    running = [];
  });

  const command = (user: string, n: number) => {
    const event = { tenant: 'acme', key: [user], id: `${user}-${n}`, data: { user, content: `memory ${n}` } };
    return waitFor(() => mesh.gateway.publish(writeMemoryCommand, event), { what: `the receipt of command ${n}`, timeoutMs: 60_000 });
  };
  const contents = async (user: string) => {
    const found: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await mesh.gateway.call(listMemories, 'acme', { limit: 200, ...(cursor === undefined ? {} : { cursor }) }, mesh.user(user));
      for (const { content, seenCount } of page.memories) {
        expect(seenCount).toBe(1);
        found.push(content);
      }
      if (page.nextCursor === undefined) return found;
      cursor = page.nextCursor;
    }
  };
  const expectEachOnce = async (user: string, count: number) => {
    const found = await waitFor(
      async () => {
        const list = await contents(user);
        return list.length >= count ? list : undefined;
      },
      { what: `${count} memories`, timeoutMs: 120_000, intervalMs: 250 },
    );
    expect(found.sort()).toEqual(Array.from({ length: count }, (_, index) => `memory ${index + 1}`).sort());
  };

  describe('on PGlite', () => {
    let folder: ThrowAwayFolder;
    beforeEach(() => {
      folder = throwAwayFolder('memory');
    });
    afterEach(() => folder.remove());

    it('being killed: every acknowledged write is there, every command is carried out once', async () => {
      const url = `pglite:${folder.path}/data`;
      let memory = await start(url);
      const acknowledged: string[] = [];
      const writing = (async () => {
        for (let n = 1; n <= 60; n += 1) {
          const content = `written ${n}`;
          await mesh.gateway.call(writeMemory, 'acme', { content, idempotencyKey: `w${n}` }, mesh.user('writer')).then(
            () => acknowledged.push(content),
            () => undefined,
          );
        }
      })();
      for (let n = 1; n <= 30; n += 1) await command('pglite', n);
      await waitFor(() => acknowledged.length >= 10, { what: 'some writes', timeoutMs: 120_000 });
      await memory.end('SIGKILL');
      await writing;
      memory = await start(url);
      for (let n = 31; n <= 40; n += 1) await command('pglite', n);
      await expectEachOnce('pglite', 40);
      expect(await contents('writer')).toEqual(expect.arrayContaining(acknowledged));
      await expect(memory.end('SIGTERM')).resolves.toBe(0);
    });
  });

  describe('on Postgres', () => {
    let postgres: TestPostgres;
    beforeAll(async () => {
      postgres = await startTestPostgres();
    });
    afterAll(() => postgres?.stop());
    /** As `plexus db migrate` does, whatever ran before. */
    const migrated = () => migrate({ url: postgres.url(), schema: 'memory', directory: migrationsFolder });

    it('two replicas migrate at once, and one is killed while commands arrive: each is carried out once', async () => {
      const env = { MEMORY_MIGRATE: '1' };
      const [one] = await Promise.all([start(postgres.url(), env), start(postgres.url(), env)]);
      for (let n = 1; n <= 100; n += 1) {
        await command('replicas', n);
        if (n === 50) await one?.end('SIGKILL');
      }
      await expectEachOnce('replicas', 100);
    });

    it('a crash of Postgres and of nats-server: no acknowledged command is lost or doubled', async () => {
      await migrated();
      await start(postgres.url());
      for (let n = 1; n <= 20; n += 1) await command('servers', n);
      await postgres.kill('SIGKILL');
      for (let n = 21; n <= 40; n += 1) await command('servers', n);
      await postgres.restart();
      await mesh.nats.kill('SIGKILL');
      await mesh.nats.restart();
      for (let n = 41; n <= 60; n += 1) await command('servers', n);
      await expectEachOnce('servers', 60);
    });

    it('keeps within its share of memory at rest', async () => {
      await migrated();
      const memory = await start(postgres.url());
      // Measured 122; a service that does nothing has 110 of it. Far more than this, once the start is digested, is a leak or a heavy import.
      await waitFor(() => memory.residentMiB() < 145, { what: 'memory to be at rest' });
      await expect(memory.end('SIGTERM')).resolves.toBe(0);
    });

    it('refuses to start on a database that was not migrated, and says what to run', async () => {
      await expect(start(postgres.url('template1'))).rejects.toThrow(/memory ended with 78: .*plexus db migrate/s);
    });
  });
});
