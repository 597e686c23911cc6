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

  it('crash nothing and restart nothing that was not planned; errors name path, reason and mostly the fix', async () => {
    const before = mesh.pids();
    const counts = await tryConfigs(mesh, attempts(1_000, Date.now()));
    expect(counts.accepted).toBeGreaterThan(200);
    expect(counts.rejected).toBeGreaterThan(100);
    expect(counts.withFix / counts.issues).toBeGreaterThan(0.5);
    await waitFor(async () => (await plexus(['--state', mesh.stateDir, 'config', 'status'])).code === 0, {
      timeoutMs: 60_000,
      what: 'every process to run with the last of them',
    });
    expect(mesh.pids()).toEqual(before);
  }, 240_000);
});
