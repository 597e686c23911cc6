import { waitFor } from '@plexus/testing';
import { Acceptance } from './support/acceptance.js';
import { SchedulerMesh } from './support/mesh.js';

describe('commands of runs', () => {
  let mesh: SchedulerMesh;
  const { readyVm, startRun, closeAll } = new Acceptance(() => mesh);

  beforeAll(async () => {
    mesh = await SchedulerMesh.start();
  });
  afterEach(closeAll);
  afterAll(() => mesh.stop());

  it('are neither lost nor doubled when the scheduler is killed in the middle of them', async () => {
    await mesh.only();
    const { vmId, connection } = await readyVm('joe');
    const published = Promise.all(Array.from({ length: 60 }, () => startRun('joe')));
    await waitFor(async () => (await mesh.rows(`SELECT 1 FROM vm_runs WHERE owner = 'joe'`)).length > 10, { intervalMs: 2 });
    await mesh.endSchedulers();
    const runs = await published;
    await mesh.scheduler();
    const told = async () => (await mesh.rows(`SELECT 1 FROM vm_outbox WHERE vm_id = $1 AND type = 'user_message'`, [vmId])).length;
    await waitFor(async () => (await told()) >= 60, { timeoutMs: 60_000 });
    const frames = [...(await connection.frames()), ...(await connection.frames(64))];
    expect(frames.map(({ fseq }) => fseq)).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
    const runIds = frames
      .filter(({ frame }) => frame.type === 'user_message')
      .map(({ frame }) => (frame.data as { metadata: { run_id: string } }).metadata.run_id);
    expect(runIds.slice().sort()).toEqual(runs.map(({ runId }) => runId).sort());
    for (const { sessionId } of runs) {
      const place = (type: string) => frames.findIndex(({ frame }) => frame.type === type && JSON.stringify(frame).includes(sessionId));
      expect(place('start_session')).toBeLessThan(place('user_message'));
    }
  });
});
