import { createPool, type PostgresDatabase } from '@plexus/database';
import { startTestMesh, type TestMesh, waitFor } from '@plexus/testing';

const PATIENCE = { timeoutMs: 120_000 };

describe('a session of a whole mesh that is over', () => {
  let mesh: TestMesh;
  let database: PostgresDatabase;

  beforeAll(async () => {
    mesh = await startTestMesh({});
    database = createPool({ url: mesh.databaseUrl, schema: 'scheduler', applicationName: 'test', max: 2 });
  }, 120_000);
  afterAll(async () => {
    await database?.close();
    await mesh?.stop();
  }, 60_000);

  const call = async (method: string, url: string, body?: object): Promise<string> => {
    const response = await fetch(mesh.gateway.http + url, {
      method,
      headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
    return response.text();
  };
  const sessionKey = 'agent:main:over';
  const say = (message: string) => call('POST', '/v1/chat/send', { sessionKey, message, idempotencyKey: message });
  const answers = async (): Promise<number> => (await call('GET', `/v1/sessions/${sessionKey}/history`)).split('"role":"assistant"').length - 1;
  const answered = (count: number) => waitFor(async () => (await answers()) === count, { ...PATIENCE, what: `${count} answers` });
  const sessions = () =>
    database.query<{ session_id: string; snapshots: number }>(
      'sessions',
      `SELECT session_id, (SELECT count(*)::int FROM session_snapshots n WHERE n.session_id = s.session_id) AS snapshots FROM vm_sessions s ORDER BY updated_at`,
    );
  const vm = async (): Promise<{ vmId: string; epoch: number }> => {
    const { vmId, epoch } = JSON.parse(await call('GET', '/v1/vms')).vms[0];
    return { vmId, epoch };
  };

  it('is forgotten by the scheduler and by its VM when it is reset; the VM goes on with the next', async () => {
    await say('first');
    await answered(1);
    const [before] = await waitFor(async () => ((rows) => (rows.some(({ snapshots }) => snapshots > 0) ? rows : undefined))(await sessions()), PATIENCE);
    const home = await vm();
    await call('POST', `/v1/sessions/${sessionKey}/reset`, {});
    await waitFor(async () => (await sessions()).length === 0, { ...PATIENCE, what: 'the session before the reset to be forgotten' });
    await say('second');
    await answered(1);
    const [after] = await waitFor(async () => ((rows) => (rows.some(({ snapshots }) => snapshots > 0) ? rows : undefined))(await sessions()), PATIENCE);
    expect(after?.session_id).not.toBe(before?.session_id);
    expect(await vm()).toEqual(home);

    await call('POST', `/v1/sessions/${sessionKey}/reset`, {});
    await waitFor(async () => (await sessions()).length === 0, { ...PATIENCE, what: 'that one to be forgotten, too' });
    expect(await database.query('kept', 'SELECT 1 FROM session_snapshots')).toEqual([]);
    expect(await database.query('said', `SELECT 1 FROM vm_runs WHERE command::text LIKE '%second%'`)).toEqual([]);
    await say('third');
    await answered(1);
    expect(await vm()).toEqual(home);
  }, 600_000);
});
