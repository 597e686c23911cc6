import { startTestMesh, type TestMesh, waitFor } from '@plexus/testing';
import { plexus } from './plexus.js';
import { attempts } from './random-config.js';
import { tryConfigs } from './try-configs.js';

describe('a thousand configurations and patches, valid and not, against a running mesh', () => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await startTestMesh();
  }, 120_000);
  afterAll(async () => {
    await mesh?.stop();
  }, 60_000);

  const converged = (what: string) =>
    waitFor(async () => (await plexus(['--state', mesh.stateDir, 'config', 'status'])).code === 0, { timeoutMs: 60_000, what });

  it('crash nothing and restart nothing that was not planned; errors name path, value, reason and fix', async () => {
    const before = mesh.pids();
    const counts = await tryConfigs(mesh, attempts(1_000, 20_261_122));
    expect(counts.accepted).toBeGreaterThan(200);
    expect(counts.rejected).toBeGreaterThan(100);
    await converged('every process to run with the last of them');
    expect(mesh.pids()).toEqual(before);
  }, 240_000);

  it('with a change among others that only a restart applies: exactly its service is restarted, each time', async () => {
    const documents = attempts(200, 7).flatMap((attempt) => (attempt.kind === 'document' && attempt.legal ? [attempt.body as object] : []));
    for (const [index, document] of documents.slice(0, 3).entries()) {
      const before = mesh.pids();
      const body = { ...document, gateway: { reload: { mode: 'hybrid' } }, plugins: { load: { paths: [`/opt/plugins-${index}`] } } };
      await tryConfigs(mesh, [{ kind: 'document', body, legal: true }]);
      await waitFor(() => mesh.pids().gateway !== undefined && mesh.pids().gateway !== before.gateway, { timeoutMs: 60_000, what: 'another gateway' });
      await mesh.whole(60_000);
      await converged('every process to run with it');
      expect({ ...mesh.pids(), gateway: 0 }).toEqual({ ...before, gateway: 0 });
    }
  }, 400_000);
});
