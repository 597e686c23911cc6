import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseMasterKey, sealSecret } from '@plexus/agent-config';
import { GatewayClient } from '@plexus/client-protocol';
import { createPool } from '@plexus/database';
import { type FakeOpenAi, marked, startFakeOpenAi, startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import WebSocket from 'ws';
import { plexus } from './plexus.js';

const KEY = 'sk-of-acme-4711-that-nobody-may-see';
const SEALED_KEY = 'sk-of-zeta-0815-that-nobody-may-see';

describe('models from the configuration', () => {
  let mesh: TestMesh;
  let acme: FakeOpenAi;
  let zeta: FakeOpenAi;
  beforeAll(async () => {
    [acme, zeta] = await Promise.all([
      startFakeOpenAi([{ kind: 'text', pieces: ['acme ', 'speaks'] }]),
      startFakeOpenAi([{ kind: 'text', pieces: ['zeta ', 'speaks'] }]),
    ]);
    mesh = await startTestMesh({ env: { ACME_API_KEY: KEY } });
  }, 180_000);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all([acme?.stop(), zeta?.stop()]);
  }, 180_000);

  const run = async (...args: string[]): Promise<void> => {
    const { code, out } = await plexus(['--state', mesh.stateDir, '--json', ...args]);
    expect([code, code === 0 ? '' : out]).toEqual([0, '']);
  };

  /** Every process runs with what was changed. */
  const converged = () =>
    waitFor(async () => (await plexus(['--state', mesh.stateDir, '--json', 'config', 'status'])).code === 0, {
      timeoutMs: 60_000,
      what: 'the change in force',
    });

  async function ask(message: string): Promise<string> {
    const client = new GatewayClient({ url: mesh.gateway.ws, token: mesh.token, createSocket: (url) => new WebSocket(url) as never });
    try {
      await client.connect({ timeoutMs: 60_000 });
      let text = '';
      for await (const piece of client.chatSend({ sessionKey: 'main', message })) text += JSON.stringify(piece);
      return text;
    } catch (error) {
      return `failed: ${JSON.stringify(error)} ${error instanceof Error ? error.message : ''}`;
    } finally {
      client.close();
    }
  }

  it('answer from the endpoint that is configured, with its key, and another one from the next run on', async () => {
    await run('model', 'add', 'acme/large', '--base-url', acme.baseUrl, '--api-key-env', 'ACME_API_KEY', '--default');
    await converged();
    expect(await ask('hello')).toContain('speaks');
    expect(acme.requests.map(({ model, authorization }) => [model, authorization])).toEqual([['large', `Bearer ${KEY}`]]);

    const master = parseMasterKey(readFileSync(path.join(mesh.stateDir, 'credentials', 'master-key'), 'utf8'));
    const provider = { baseUrl: zeta.baseUrl, apiKey: sealSecret(SEALED_KEY, master, 'default'), models: [{ id: 'small' }] };
    await run('config', 'set', 'models.providers.zeta', JSON.stringify(provider));
    await run('agents', 'update', 'main', '--model', 'small');
    await converged();
    expect(await ask('and now?')).toContain('zeta');
    expect(zeta.requests.map(({ model, authorization }) => [model, authorization])).toEqual([['small', `Bearer ${SEALED_KEY}`]]);
    expect(acme.requests).toHaveLength(1);
  }, 150_000);

  it('report what they used up, and the mesh keeps a snapshot of the session', async () => {
    const database = createPool({ url: mesh.databaseUrl, schema: 'scheduler', applicationName: 'spec', max: 1 });
    try {
      const models = async () =>
        (await database.query<{ model: string }>('used', 'SELECT DISTINCT model FROM usage ORDER BY model', [])).map(({ model }) => model);
      await waitFor(async () => (await models()).length === 2, { timeoutMs: 60_000, what: 'usage of both models' });
      expect(await models()).toEqual(['large', 'small']);
      const snapshots = () =>
        database.query<{ kind: string; body: { checkpoint?: unknown } }>('kept', 'SELECT kind, body FROM session_snapshots ORDER BY version DESC LIMIT 1', []);
      const [newest] = await waitFor(async () => ((rows) => (rows.length > 0 ? rows : undefined))(await snapshots()), {
        timeoutMs: 60_000,
        what: 'a snapshot',
      });
      expect(newest).toMatchObject({ kind: 'full', body: { checkpoint: expect.anything() } });
    } finally {
      await database.close();
    }
  }, 150_000);

  it('leave no trace of a key: not in databases, streams, logs, journals, nor in argv or environment of a VM', () => {
    const files = filesBelow(mesh.stateDir);
    expect(files.some((file) => file.includes('runtime'))).toBe(true);
    for (const file of files) {
      const bytes = readFileSync(file);
      for (const key of [KEY, SEALED_KEY]) expect([file, bytes.includes(key)]).toEqual([file, false]);
    }
    const services = Object.values(mesh.services()).map(({ pid }) => pid);
    const vms = marked(mesh.clusterId).filter(({ pid }) => !services.includes(pid) && commandLine(pid).includes('runtime'));
    expect(vms.length).toBeGreaterThan(0);
    for (const { pid } of vms) {
      const seen = readFileSync(`/proc/${pid}/environ`, 'utf8') + commandLine(pid);
      expect([KEY, SEALED_KEY, 'ACME_API_KEY'].filter((secret) => seen.includes(secret))).toEqual([]);
    }
  });

  it('whose key cannot be had end the run with a code, and the name of the reference', async () => {
    await run('config', 'set', 'models.providers.zeta.apiKey', JSON.stringify({ env: 'NOBODY_SET_THIS' }));
    await converged();
    expect(await ask('hello again')).toContain('models.providers.zeta.apiKey: the variable NOBODY_SET_THIS is not set');
    const database = createPool({ url: mesh.databaseUrl, schema: 'routing', applicationName: 'spec', max: 1 });
    try {
      const ended = async () => (await database.query<{ error_code: string }>('ended', 'SELECT error_code FROM runs WHERE error_code IS NOT NULL', []))[0];
      expect(await waitFor(ended, { timeoutMs: 60_000, what: 'the end of the run' })).toEqual({ error_code: 'MODEL_KEY_UNAVAILABLE' });
    } finally {
      await database.close();
    }
    expect(zeta.requests).toHaveLength(1);
  }, 180_000);
});

function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

/** Regular files; what vanishes while we look is gone. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}
