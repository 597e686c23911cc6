import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createPool } from '@plexus/database';
import { type ThrowAwayFolder, startTestMesh, type TestMesh, throwAwayFolder, waitFor } from '../../src/index.js';
import { repositoryRoot } from '../../src/repository-root.js';
import { ForeignPublisher } from './foreign-publisher.js';
import { MeshUser } from './mesh-user.js';

const SESSION = 'agent:main:backup';

interface Done {
  readonly code: number;
  readonly out: string;
}

/** The command as a process of its own, as an operator or a CronJob runs it. */
function plexus(...args: string[]): Promise<Done> {
  const program = path.join(repositoryRoot(), 'libs/cli/bin/plexus.mjs');
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, '--json', ...args], { env, timeout: 300_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout === '' ? stderr : stdout });
    });
  });
}

/** What was acknowledged, and when. */
interface Acknowledged {
  readonly run: string;
  readonly event: string;
  readonly memory: string;
  readonly at: number;
}

/** Says, publishes and remembers one after the other, for as long as it is let. */
class Load {
  readonly acknowledged: Acknowledged[] = [];
  private stopped = false;
  private running: Promise<void> | undefined;

  constructor(
    private readonly user: MeshUser,
    private readonly publisher: ForeignPublisher,
  ) {}

  start(): void {
    this.running = this.run();
    // Awaited by stop(); a test that fails before must not end in an unhandled rejection as well.
    this.running.catch(() => undefined);
  }

  end(): void {
    this.stopped = true;
  }

  async stop(): Promise<void> {
    this.end();
    await this.running;
  }

  async round(): Promise<void> {
    const n = this.acknowledged.length;
    const [event, memory] = [`event-${n}`, `backupnote${n}`];
    const [run] = await Promise.all([
      this.user.say(SESSION, `message ${n}`),
      this.publisher.publish(event, 'case-7', `the import ${n}`),
      this.user.remember(`${memory} was written under load`),
    ]);
    this.acknowledged.push({ run, event, memory, at: Date.now() });
  }

  private async run(): Promise<void> {
    while (!this.stopped) await this.round();
  }
}

describe('a backup that is taken while the mesh works', () => {
  let folder: ThrowAwayFolder;
  let mesh: TestMesh | undefined;
  let publisher: ForeignPublisher | undefined;
  let load: Load | undefined;

  beforeAll(() => {
    folder = throwAwayFolder('backup');
  });
  afterAll(async () => {
    load?.end();
    await publisher?.close();
    await mesh?.stop();
    folder.remove();
  }, 60_000);

  const ask = async <R>(text: string): Promise<R[]> => {
    const database = createPool({ url: (mesh as TestMesh).databaseUrl, schema: 'public', applicationName: 'test', max: 1 });
    try {
      return await database.query<R>('ask', text);
    } finally {
      await database.close();
    }
  };
  const inboxEpoch = async (user: MeshUser): Promise<string> => (await user.request<{ epoch: string }>('GET', '/v1/inbox?limit=1')).epoch;

  it('brings everything back that was acknowledged before it, once, with honest epochs; a damaged one is refused before anything is written', async () => {
    const backup = path.join(folder.path, 'saved');
    const fresh = path.join(folder.path, 'fresh');
    mesh = await startTestMesh();
    const before = new MeshUser(mesh.gateway.http, mesh.token);
    publisher = await ForeignPublisher.connect(path.join(mesh.stateDir, 'credentials/demo.url'));
    await before.follow('case', 'case-7');
    load = new Load(before, publisher);
    await load.round();
    await before.complete(SESSION, [load.acknowledged[0]?.run ?? '']);
    await waitFor(async () => (await before.inbox()).length > 0, { timeoutMs: 120_000, what: 'the first item of the inbox' });

    load.start();
    const { acknowledged } = load;
    await waitFor(() => acknowledged.length >= 3, { timeoutMs: 120_000, what: 'load' });
    const created = await plexus('--state', mesh.stateDir, 'backup', 'create', backup);
    expect(created).toMatchObject({ code: 0 });
    await load.stop();
    const { startedAt } = JSON.parse(created.out) as { startedAt: string };
    const formerEpoch = await inboxEpoch(before);
    const [highest] = await ask<{ epoch: number }>('SELECT max(epoch) AS epoch FROM scheduler.vm_instances');
    await publisher.close();

    // What an operator keeps apart from backups, and nothing else.
    cpSync(path.join(mesh.stateDir, 'credentials'), path.join(fresh, 'credentials'), { recursive: true });
    await mesh.stop();
    mesh = undefined;
    expect(readFileSync(path.join(fresh, 'credentials/master-key'), 'utf8').length).toBeGreaterThan(0);

    const damaged = path.join(folder.path, 'damaged');
    cpSync(backup, damaged, { recursive: true });
    const rows = readFileSync(path.join(damaged, 'plexus.rows.gz'));
    rows.writeUInt8(rows.readUInt8(rows.length >> 1) ^ 1, rows.length >> 1);
    writeFileSync(path.join(damaged, 'plexus.rows.gz'), rows);
    const refused = await plexus('--state', fresh, 'backup', 'restore', damaged);
    expect(refused.code).toBe(1);
    expect(refused.out).toContain('plexus.rows.gz was changed');
    expect(['nats', 'postgres', 'memory'].filter((name) => existsSync(path.join(fresh, name)))).toEqual([]);

    const restored = await plexus('--state', fresh, 'backup', 'restore', backup);
    expect(restored).toMatchObject({ code: 0 });
    mesh = await startTestMesh({ stateDir: fresh });
    const user = new MeshUser(mesh.gateway.http, mesh.token);
    const safe = acknowledged.filter(({ at }) => at < Date.parse(startedAt));
    expect(safe.length).toBeGreaterThanOrEqual(3);

    const next = await user.say(SESSION, 'and after the disaster');
    const messages = await user.complete(SESSION, [...safe.map(({ run }) => run), next], 120_000);
    for (const { run } of acknowledged) {
      const roles = messages.filter(({ runId }) => runId === run).map(({ role }) => role);
      // What came after the backup began may be there or not, and is not there twice.
      if (safe.some((one) => one.run === run)) expect(roles).toEqual(['user', 'assistant']);
      else expect([0, 1, 2]).toContain(new Set(roles).size === roles.length ? roles.length : -1);
    }
    const inbox = await waitFor(
      async () => {
        const items = await user.inbox();
        const ids = items.flatMap(({ events }) => events.map(({ id }) => id));
        return safe.every(({ event }) => ids.includes(event)) ? items : undefined;
      },
      { timeoutMs: 120_000, what: 'every acknowledged event in the inbox' },
    );
    const ids = inbox.flatMap(({ events }) => events.map(({ id }) => id));
    expect(ids).toEqual([...new Set(ids)]);
    expect(inbox.map(({ offset }) => offset)).toEqual(inbox.map((_item, index) => index + 1));
    expect(await inboxEpoch(user)).not.toBe(formerEpoch);
    for (const { memory } of safe) expect((await user.recall(memory)).filter(({ content }) => content.startsWith(`${memory} `))).toHaveLength(1);
    // The last message was answered, so a VM has run here, and not under an epoch that the lost mesh had given out.
    const [started] = await ask<{ epoch: number }>("SELECT max(epoch) AS epoch FROM scheduler.vm_instances WHERE attached_at > now() - interval '10 minutes'");
    expect(started?.epoch).toBeGreaterThan(highest?.epoch ?? 0);
  }, 900_000);
});
