import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import { KubernetesWorld, settingsFor } from './support/kubernetes/world.js';

const GATEWAY = 'gateway.plexus.svc';
const runtime = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../runtime/dist/src/main.js');
const PATIENCE = { timeoutMs: 60_000 };

describe('a mesh whose VMs are Pods of the stand-in', () => {
  let world: KubernetesWorld;
  let mesh: TestMesh;

  beforeAll(async () => {
    world = await KubernetesWorld.start();
    mesh = await startTestMesh({
      env: { PROVIDER: 'kubernetes', ...settingsFor(world.kubeconfig, runtime), KUBERNETES_CONTROL_PLANE_WS: `ws://${GATEWAY}/ws/vm` },
    });
    world.kubelet.services.set(GATEWAY, new URL(mesh.gateway.http).host);
  }, 120_000);
  afterAll(async () => {
    await mesh?.stop();
    await world?.stop();
  }, 60_000);

  it('B1: answers a message from a runtime that runs in a Pod, whose VM became ready', async () => {
    const call = async (method: string, url: string, body?: object): Promise<{ readonly status: number; readonly text: string }> => {
      const response = await fetch(mesh.gateway.http + url, {
        method,
        headers: { authorization: `Bearer ${mesh.token}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: response.status, text: await response.text() };
    };
    const sessionKey = 'agent:main:in-a-pod';
    const sent = await call('POST', '/v1/chat/send', { sessionKey, message: 'hello from outside', idempotencyKey: 'one' });
    expect([sent.status, sent.text]).toEqual([expect.any(Number), expect.stringContaining('runId')]);
    await waitFor(async () => (await call('GET', `/v1/sessions/${sessionKey}/history`)).text.includes('"role":"assistant"'), PATIENCE);
    const pods = world.server.store.all('pods');
    expect(pods).toHaveLength(1);
    expect(pods[0]?.status.phase).toBe('Running');
    const vms = await call('GET', '/v1/vms');
    expect(vms.text).toContain('"state":"ready"');
    expect(world.server.store.all('secrets')).toHaveLength(1);
  }, 120_000);
});
