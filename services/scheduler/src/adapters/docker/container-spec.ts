import { createHash } from 'node:crypto';
import { type InstanceSpec, type InstanceTemplate, ProviderError } from '../../application/provider-port.js';
import { requirePlainEnvironment } from '../template-environment.js';

export interface ContainerDefaults {
  readonly cluster: string;
  readonly image: string | undefined;
  readonly controlPlaneUrl: string;
  /** Network from which only the gateway can be reached; undefined: none. */
  readonly network: string | undefined;
  readonly internetNetwork: string | undefined;
  readonly binds: readonly string[];
  readonly memoryMib: number;
  readonly cpuMillis: number;
  readonly maxProcesses: number;
  readonly user: string;
  /** Model settings and the like; no secrets. */
  readonly environment: Readonly<Record<string, string>>;
}

export const WORKSPACE = '/workspace';
export const LABELS = { cluster: 'plexus.cluster', vm: 'plexus.vm', epoch: 'plexus.epoch', tenant: 'plexus.tenant', template: 'plexus.template' } as const;

const LOG_SIZE = '4m';
const MAX_OPEN_FILES = 4_096;

/** Body of `POST /containers/create`. Nothing in it is secret. Rejects with INVALID_SPEC what cannot be honoured. */
export function containerSpec(spec: InstanceSpec, defaults: ContainerDefaults, volume: string): Record<string, unknown> {
  const { template } = spec;
  const image = template?.image ?? defaults.image;
  if (image === undefined) throw new ProviderError('INVALID_SPEC', 'neither DOCKER_IMAGE nor the template names an image');
  const environment = {
    LANG: 'C.UTF-8',
    HOME: '/tmp',
    ...requirePlainEnvironment(template),
    ...defaults.environment,
    CONTROL_PLANE_WS: defaults.controlPlaneUrl,
    PLEXUS_WORKDIR: WORKSPACE,
    PLEXUS_CLUSTER: defaults.cluster,
    VM_ID: spec.vmId,
    VM_USER_ID: spec.userId,
    VM_EPOCH: String(spec.epoch),
  };
  const memory = (template?.resources?.memoryMib ?? defaults.memoryMib) * 1_048_576;
  return {
    Image: image,
    ...(template?.command && { Entrypoint: [], Cmd: template.command }),
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    User: defaults.user,
    WorkingDir: WORKSPACE,
    Labels: labelsOf(spec, defaults.cluster),
    // The first line is the secrets; then stdin is closed, and nobody can attach to it again.
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    Tty: false,
    StopSignal: 'SIGTERM',
    HostConfig: {
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      Privileged: false,
      SecurityOpt: ['no-new-privileges'],
      NetworkMode: networkOf(template, defaults),
      IpcMode: 'private',
      Init: true,
      AutoRemove: false,
      RestartPolicy: { Name: 'no' },
      Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=256m', '/var/tmp': 'rw,nosuid,nodev,size=64m', '/run': 'rw,nosuid,nodev,noexec,size=16m' },
      Mounts: [{ Type: 'volume', Source: volume, Target: WORKSPACE }],
      Binds: defaults.binds,
      Memory: memory,
      MemorySwap: memory,
      NanoCpus: (template?.resources?.cpuMillis ?? defaults.cpuMillis) * 1_000_000,
      PidsLimit: template?.resources?.maxProcesses ?? defaults.maxProcesses,
      Ulimits: [
        { Name: 'nofile', Soft: MAX_OPEN_FILES, Hard: MAX_OPEN_FILES },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      LogConfig: { Type: 'json-file', Config: { 'max-size': LOG_SIZE, 'max-file': '2' } },
    },
  };
}

/** The tenant only as a hash: labels are readable by everybody who may list containers. */
function labelsOf({ vmId, epoch, tenant, template }: InstanceSpec, cluster: string): Record<string, string> {
  return {
    [LABELS.cluster]: cluster,
    [LABELS.vm]: vmId,
    [LABELS.epoch]: String(epoch),
    ...(tenant === undefined ? {} : { [LABELS.tenant]: createHash('sha256').update(tenant).digest('hex').slice(0, 16) }),
    ...(template?.hash === undefined ? {} : { [LABELS.template]: template.hash }),
  };
}

function networkOf(template: InstanceTemplate | undefined, { network, internetNetwork }: ContainerDefaults): string {
  if (template?.network !== 'internet') return network ?? 'none';
  if (internetNetwork === undefined)
    throw new ProviderError('INVALID_SPEC', 'the template asks for the internet, and DOCKER_INTERNET_NETWORK names no network for it');
  return internetNetwork;
}
