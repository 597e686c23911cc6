import type { InstanceSpec } from '../../application/provider-port.js';
import { boundedName } from '../bounded-name.js';
import { logTail } from '../log-tail.js';
import { demultiplex } from './container-log.js';
import { type ContainerDefaults, containerSpec } from './container-spec.js';

const DEFAULTS: ContainerDefaults = {
  cluster: 'mesh-1',
  image: 'plexus-runtime@sha256:0',
  controlPlaneUrl: 'ws://gateway:18789/ws/vm',
  network: 'plexus-vms',
  internetNetwork: undefined,
  binds: ['/srv/models:/models:ro'],
  memoryMib: 512,
  cpuMillis: 750,
  maxProcesses: 128,
  user: '65532:65532',
  environment: { PLEXUS_MODEL: 'm' },
};
const secret = 'never-in-a-spec';
const spec: InstanceSpec = {
  vmId: 'vm-1',
  epoch: 3,
  userId: 'me',
  tenant: 'acme',
  bootstrap: async () => ({ ticket: secret, token: secret, bootstrapSecret: secret }),
};

describe('the container of a VM', () => {
  it('may do nothing but compute: no capabilities, no new privileges, read-only root, limits, no root', () => {
    const { HostConfig, User, OpenStdin, StdinOnce } = containerSpec(spec, DEFAULTS, 'v') as Record<string, unknown>;
    expect({ User, OpenStdin, StdinOnce }).toEqual({ User: '65532:65532', OpenStdin: true, StdinOnce: true });
    expect(HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      Privileged: false,
      SecurityOpt: ['no-new-privileges'],
      NetworkMode: 'plexus-vms',
      IpcMode: 'private',
      RestartPolicy: { Name: 'no' },
      Memory: 512 * 1_048_576,
      MemorySwap: 512 * 1_048_576,
      NanoCpus: 750_000_000,
      PidsLimit: 128,
      Mounts: [{ Type: 'volume', Source: 'v', Target: '/workspace' }],
      Binds: ['/srv/models:/models:ro'],
    });
    expect(Object.keys((HostConfig as { Tmpfs: object }).Tmpfs)).toEqual(['/tmp', '/var/tmp', '/run']);
  });

  it('has no network unless a setting names one, and none with the internet unless asked', () => {
    const network = (template: InstanceSpec['template'], defaults = DEFAULTS) =>
      (containerSpec({ ...spec, ...(template && { template }) }, defaults, 'v').HostConfig as { NetworkMode: string }).NetworkMode;
    expect(network(undefined, { ...DEFAULTS, network: undefined })).toBe('none');
    expect(network({ network: 'mesh' })).toBe('plexus-vms');
    expect(network({ network: 'internet' }, { ...DEFAULTS, internetNetwork: 'open' })).toBe('open');
    expect(() => network({ network: 'internet' })).toThrow('DOCKER_INTERNET_NETWORK');
  });

  it('names neither a secret nor the tenant', () => {
    const text = JSON.stringify(containerSpec(spec, DEFAULTS, 'v'));
    expect(text).not.toContain(secret);
    expect(text).not.toContain('acme');
    expect(text).toContain('"plexus.vm":"vm-1"');
    expect(text).toContain('"plexus.epoch":"3"');
  });

  it('finding 4: names the user VM_USER_ID and nothing else; a template chooses image, command and limits, and not who the VM is', () => {
    const template = { image: 'other', command: ['run'], environment: { MODE: 'x' }, resources: { memoryMib: 64, cpuMillis: 100, maxProcesses: 16 } };
    const made = containerSpec({ ...spec, template }, DEFAULTS, 'v');
    expect(made).toMatchObject({ Image: 'other', Cmd: ['run'], HostConfig: { Memory: 64 * 1_048_576, NanoCpus: 100_000_000, PidsLimit: 16 } });
    expect(made.Env).toEqual(expect.arrayContaining(['MODE=x', 'VM_ID=vm-1', 'VM_USER_ID=me', 'VM_EPOCH=3', 'PLEXUS_MODEL=m']));
    expect((made.Env as string[]).filter((variable) => /USER_ID=/.test(variable))).toEqual(['VM_USER_ID=me']);
    for (const name of ['VM_USER_ID', 'PLEXUS_WORKDIR', 'NODE_OPTIONS', 'LD_PRELOAD', 'A B']) {
      expect(() => containerSpec({ ...spec, template: { environment: { [name]: 'x' } } }, DEFAULTS, 'v')).toThrow(name);
    }
    expect(() => containerSpec(spec, { ...DEFAULTS, image: undefined }, 'v')).toThrow('DOCKER_IMAGE');
  });
});

describe('names of containers and volumes', () => {
  it('fit, and differ whenever cluster or VM differ', () => {
    const long = 'v'.repeat(60);
    const names = [boundedName('a', 'vm-1'), boundedName('b', 'vm-1'), boundedName('a', `${long}1`), boundedName('a', `${long}2`)];
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/);
  });
});

describe('the log of a container', () => {
  it('is put together from both streams, also when the last frame is cut off', () => {
    const frame = (text: string, length = Buffer.byteLength(text)): Buffer => {
      const header = Buffer.alloc(8);
      header.writeUInt32BE(length, 4);
      return Buffer.concat([header, Buffer.from(text)]);
    };
    expect(demultiplex(Buffer.concat([frame('one\n'), frame('two\n'), frame('thr', 6)])).toString()).toBe('one\ntwo\nthr');
    expect(demultiplex(Buffer.alloc(0))).toHaveLength(0);
  });

  it('is cut to so many bytes without half characters', () => {
    expect(logTail(Buffer.from('aé'), 1)).toBe('');
    expect(logTail(Buffer.from('aé'), 2)).toBe('é');
    expect(logTail(Buffer.from('a\0b'), 10)).toBe('ab');
  });
});
