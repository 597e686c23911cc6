import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPool, type PostgresDatabase } from '@plexus/database';
import { startTestMesh, type TestMesh, type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { DockerStandIn } from './support/docker-stand-in.js';

const runtime = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../runtime/dist/src/main.js');
const PATIENCE = { timeoutMs: 120_000 };
/** Long enough for a machine that stands still for some seconds: nobody but the one who is stopped may lose a lease. */
const LEASE_MS = 15_000;
const SUSPECT_MS = 15_000;
/** How much later than the earliest moment on a machine that is busy. */
const SLACK_MS = 30_000;
const FENCED = 79;

describe('a host that is lost with a VM that goes on later', () => {
  let folder: ThrowAwayFolder;
  let engine: DockerStandIn;
  let mesh: TestMesh;
  let database: PostgresDatabase;

  beforeAll(async () => {
    folder = throwAwayFolder('lost-host');
    engine = await DockerStandIn.start(folder.path, { 'runtime:test': runtime });
    mesh = await startTestMesh({
      env: {
        PROVIDER: 'docker',
        DOCKER_ENGINE: `unix://${engine.socket}`,
        DOCKER_IMAGE: 'runtime:test',
        VM_LEASE_MS: String(LEASE_MS),
        VM_SUSPECT_MS: String(SUSPECT_MS),
        ALLOW_WEAK_FENCING: '1',
      },
    });
    database = createPool({ url: mesh.databaseUrl, schema: 'scheduler', applicationName: 'test', max: 2 });
  }, 120_000);
  afterAll(async () => {
    await database?.close();
    await mesh?.stop();
    await engine?.stop();
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
  const sessionKey = 'agent:main:lost';
  const say = (message: string) => call('POST', '/v1/chat/send', { sessionKey, message, idempotencyKey: message });
  const answers = async (): Promise<number> => (await call('GET', `/v1/sessions/${sessionKey}/history`)).split('"role":"assistant"').length - 1;
  const vm = async (): Promise<{ vmId: string; state: string; epoch: number }> => JSON.parse(await call('GET', '/v1/vms')).vms[0];
  /** What the mesh has taken from one incarnation. */
  const takenFrom = (vmId: string, epoch: number) =>
    database.query<{ marks: unknown; snapshots: unknown; dead: unknown }>(
      'taken',
      `SELECT (SELECT json_agg(last_seq) FROM vm_inbox_mark WHERE vm_id = $1 AND epoch = $2) AS marks,
              (SELECT json_agg(json_build_array(session_id, version)) FROM session_snapshots WHERE vm_id = $1 AND epoch = $2) AS snapshots,
              (SELECT count(*) FROM vm_dead_letters WHERE vm_id = $1 AND epoch = $2) AS dead`,
      [vmId, epoch],
    );

  it('A6: replaces it within lease and grace under a higher epoch; the old process is refused with 4409, exits 79, and nothing of it is taken', async () => {
    await say('first');
    await waitFor(async () => (await answers()) === 1, { ...PATIENCE, what: 'the first answer' });
    const old = await vm();
    const [container] = [...engine.containers.values()];
    const process_ = container?.process;
    if (container === undefined || process_?.pid === undefined) throw new Error('no container runs');
    const exited = new Promise<number | null>((resolve) => process_.once('exit', resolve));
    engine.loseHost();
    process.kill(process_.pid, 'SIGSTOP');
    await say('second'); // somebody waits for it

    await waitFor(async () => (await answers()) === 2, { ...PATIENCE, what: 'the answer of its successor' });
    const ready = () =>
      waitFor(async () => ((found) => (found.state === 'ready' ? found : undefined))(await vm()), { ...PATIENCE, what: 'the VM to be ready' });
    const successor = await ready();
    expect(successor.vmId).toBe(old.vmId);
    expect(successor.epoch).toBeGreaterThan(old.epoch);
    expect(process_.exitCode).toBeNull(); // its end was claimed, and did not happen
    const [times] = await database.query<{ suspect: number; replaced: number }>(
      'times',
      `SELECT extract(epoch FROM s.at - i.lease_until)::float8 * 1000 AS suspect, extract(epoch FROM n.at - s.at)::float8 * 1000 AS replaced
         FROM vm_instances i JOIN vm_transitions s ON s.vm_id = i.vm_id AND s.epoch = i.epoch AND s.to_state = 'suspect'
         JOIN vm_transitions n ON n.vm_id = i.vm_id AND n.epoch > i.epoch AND n.to_state = 'provisioning'
        WHERE i.vm_id = $1 AND i.epoch = $2 ORDER BY s.id DESC, n.id LIMIT 1`,
      [old.vmId, old.epoch],
    );
    // A lease ends so long after the last beat that was written: from there on the moments are those of the database.
    expect(times?.suspect).toBeGreaterThanOrEqual(-1);
    expect(times?.suspect).toBeLessThan(SLACK_MS);
    expect(times?.replaced).toBeGreaterThanOrEqual(SUSPECT_MS - 1);
    expect(times?.replaced).toBeLessThan(SUSPECT_MS + SLACK_MS);

    const before = await takenFrom(old.vmId, old.epoch);
    process.kill(process_.pid, 'SIGCONT');
    expect(await exited).toBe(FENCED);
    // What it says of close code 4409, and of no other.
    await waitFor(() => Buffer.concat(container.log).toString().includes('a newer incarnation of this VM exists'), PATIENCE);
    expect(await takenFrom(old.vmId, old.epoch)).toEqual(before);
    await say('third');
    await waitFor(async () => (await answers()) === 3, { ...PATIENCE, what: 'the third answer' });
    expect(await ready()).toMatchObject({ vmId: old.vmId, epoch: successor.epoch });
    expect(await takenFrom(old.vmId, old.epoch)).toEqual(before);
  }, 400_000);
});
