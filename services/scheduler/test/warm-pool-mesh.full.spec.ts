import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { startTestMesh, type TestMesh, throwAwayFolder, waitFor } from '@plexus/testing';

const PATIENCE = { timeoutMs: 60_000 };

describe('a mesh with a warm pool', () => {
  const folder = throwAwayFolder('pool');
  let mesh: TestMesh;

  beforeAll(async () => {
    const file = path.join(folder.path, 'templates.json');
    writeFileSync(file, JSON.stringify({ pools: [{ id: 'ready', tenant: 'default', size: 1 }] }));
    mesh = await startTestMesh({ env: { VM_TEMPLATES_FILE: file } });
  }, 120_000);
  afterAll(async () => {
    await mesh?.stop();
    folder.remove();
  }, 60_000);

  const call = async (method: string, url: string, body?: object): Promise<string> => {
    const response = await fetch(mesh.gateway.http + url, {
      method,
      headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return response.text();
  };
  const vms = async (): Promise<{ vmId: string; owner: string; state: string; pool?: string; epoch: number }[]> => JSON.parse(await call('GET', '/v1/vms')).vms;
  const answers = async (sessionKey: string): Promise<number> =>
    (await call('GET', `/v1/sessions/${sessionKey}/history`)).split('"role":"assistant"').length - 1;
  const say = (sessionKey: string, message: string) => call('POST', '/v1/chat/send', { sessionKey, message, idempotencyKey: message });

  it('A15: a member of the pool is claimed by its first message, answers, and still answers after it had to connect again', async () => {
    const member = await waitFor(async () => (await vms()).find(({ pool, state }) => pool === 'ready' && state === 'warm'), { ...PATIENCE, what: 'a warm VM' });
    const sessionKey = 'agent:main:pooled';
    await say(sessionKey, 'first');
    await waitFor(async () => (await answers(sessionKey)) === 1, { ...PATIENCE, what: 'the first answer' });
    const claimed = (await vms()).find(({ vmId }) => vmId === member.vmId);
    expect(claimed).toMatchObject({ owner: 'me', state: 'ready', epoch: member.epoch });

    await mesh.kill('gateway');
    await mesh.whole();
    await say(sessionKey, 'second');
    await waitFor(async () => (await answers(sessionKey)) === 2, { ...PATIENCE, what: 'the second answer' });
    // The same incarnation: it was not replaced, it came back as its owner's.
    expect((await vms()).find(({ owner }) => owner === 'me')).toMatchObject({ vmId: member.vmId, epoch: member.epoch });
  }, 180_000);
});
