import { randomBytes } from 'node:crypto';
import { waitFor } from '@plexus/testing';
import { LABELS } from '../../src/adapters/docker/container-spec.js';
import { DockerEngine } from '../../src/adapters/docker/docker-engine.js';
import { DockerProvider } from '../../src/adapters/docker/docker-provider.js';
import type { Bootstrap, IncarnationKey } from '../../src/application/provider-port.js';
import type { ContractWorld } from './contract-world.js';
import { describeProviderContract } from './provider-contract.js';

const { PLEXUS_DOCKER_E2E, PLEXUS_DOCKER_E2E_IMAGE: image = 'plexus-contract', DOCKER_ENGINE: address = 'unix:///var/run/docker.sock' } = process.env;

interface Found {
  readonly Id: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
}

/** A real engine; the truth about it is read through its API, past the provider. */
async function openRealWorld(): Promise<ContractWorld> {
  const cluster = `contract-${randomBytes(4).toString('hex')}`;
  const engine = await DockerEngine.connect(address);
  const open = async (name = cluster): Promise<DockerProvider> =>
    new DockerProvider({
      engine: await DockerEngine.connect(address),
      engineId: 'real',
      log: { warn: (fields, message) => console.warn(message, fields) },
      defaults: {
        cluster: name,
        image,
        controlPlaneUrl: 'ws://127.0.0.1:1/ws/vm',
        network: undefined,
        internetNetwork: undefined,
        binds: [],
        memoryMib: 256,
        cpuMillis: 500,
        maxProcesses: 64,
        user: '65532:65532',
        environment: {},
      },
    });
  const containers = async (vmId: string): Promise<Found[]> => {
    const filters = JSON.stringify({ label: [`${LABELS.cluster}=${cluster}`, `${LABELS.vm}=${vmId}`] });
    return (await engine.call('/containers/json', { query: { all: true, filters } })).json<Found[]>();
  };
  const of = async ({ vmId, epoch }: IncarnationKey): Promise<Found[]> =>
    (await containers(vmId)).filter(({ Labels }) => Labels[LABELS.epoch] === String(epoch));
  const read = async (vmId: string, name: string): Promise<string | undefined> => {
    const [found] = await containers(vmId);
    if (found === undefined) return undefined;
    const answer = await engine.call(`/containers/${found.Id}/archive`, { query: { path: `/workspace/${name}` }, accept: [404] });
    return answer.status === 404 ? undefined : onlyFileOf(answer.body);
  };
  const provider = await open();
  return {
    provider,
    another: () => open(),
    otherCluster: () => open(`${cluster}-other`),
    running: async (key) => (await of(key)).filter(({ State }) => State === 'running').length,
    async received({ vmId, epoch }) {
      const text = await read(vmId, `received-${epoch}.json`);
      return text === undefined ? undefined : (JSON.parse(text) as { line: Bootstrap }).line;
    },
    async crash(key) {
      for (const { Id } of await of(key)) await engine.call(`/containers/${Id}/kill`, { method: 'POST', query: { signal: 'SIGKILL' } });
    },
    async exposed(key) {
      const inspected = await Promise.all((await of(key)).map(({ Id }) => engine.call(`/containers/${Id}/json`)));
      return inspected.map(({ body }) => body.toString()).join('\n');
    },
    async write(vmId, name, text) {
      const [running] = (await containers(vmId)).filter(({ State }) => State === 'running');
      const body = { Cmd: ['node', '-e', 'require("fs").writeFileSync(process.argv[1], process.argv[2])', `/workspace/${name}`, text] };
      const { Id } = (await engine.call(`/containers/${running?.Id}/exec`, { method: 'POST', body })).json<{ Id: string }>();
      await engine.call(`/exec/${Id}/start`, { method: 'POST', body: { Detach: true } });
      await waitFor(async () => (await read(vmId, name)) === text, { timeoutMs: 60_000 });
    },
    read,
    async stop() {
      for (const { vmId } of await provider.workspaces()) await provider.removeWorkspace(vmId);
      const left = await provider.list();
      await provider.close();
      engine.close();
      expect(left).toEqual([]);
    },
  };
}

/** Content of a tar archive that holds one file. */
function onlyFileOf(archive: Buffer): string {
  const size = Number.parseInt(archive.subarray(124, 136).toString('latin1').replaceAll('\0', '').trim(), 8);
  return archive.subarray(512, 512 + size).toString('utf8');
}

if (PLEXUS_DOCKER_E2E === '1') {
  describeProviderContract('containers of a real Docker engine', { runs: true, workspace: true }, openRealWorld);
} else {
  describe.skip('the provider contract, kept by containers of a real Docker engine: PLEXUS_DOCKER_E2E is not 1', () => {
    it('was not run', () => undefined);
  });
}
