import { createHash } from 'node:crypto';
import { ConfigurationError } from '@plexus/kernel';
import type { VmProvider } from '../../application/provider-port.js';
import { runtimeEnvironment, type SchedulerConfig } from '../../config.js';
import { DockerEngine } from './docker-engine.js';
import { DockerProvider } from './docker-provider.js';

export interface DockerDependencies {
  readonly config: SchedulerConfig;
  readonly cluster: string;
  readonly log: { warn(fields: object, message: string): void };
}

/** Asks the engine who it is; throws `ConfigurationError` when it does not answer or a setting would give VMs more than they may have. */
export async function openDocker({ config, cluster, log }: DockerDependencies): Promise<VmProvider> {
  if (/^(0|root)(:|$)/.test(config.DOCKER_USER)) throw new ConfigurationError(`DOCKER_USER is ${config.DOCKER_USER}: VMs never run as root`);
  const socket = config.DOCKER_BINDS.find((bind) => bind.includes('docker.sock'));
  if (socket !== undefined) throw new ConfigurationError(`DOCKER_BINDS has ${socket}: a VM with the engine's socket owns its host`);
  let engine: DockerEngine;
  let id: string;
  try {
    engine = await DockerEngine.connect(config.DOCKER_ENGINE);
    id = (await engine.call('/info')).json<{ ID: string }>().ID;
  } catch (cause) {
    throw new ConfigurationError(`DOCKER_ENGINE: ${(cause as Error).message}`, { cause });
  }
  // Host and home of this machine mean nothing in a container.
  const { PATH: _path, HOME: _home, ...environment } = runtimeEnvironment(config);
  return new DockerProvider({
    engine,
    engineId: createHash('sha256').update(id).digest('hex').slice(0, 16),
    log,
    defaults: {
      cluster,
      image: config.DOCKER_IMAGE,
      controlPlaneUrl: config.DOCKER_CONTROL_PLANE_WS ?? config.CONTROL_PLANE_WS,
      network: config.DOCKER_NETWORK,
      internetNetwork: config.DOCKER_INTERNET_NETWORK,
      binds: config.DOCKER_BINDS,
      memoryMib: config.DOCKER_MEMORY_MIB,
      cpuMillis: config.DOCKER_CPU_MILLIS,
      maxProcesses: config.DOCKER_MAX_PROCESSES,
      user: config.DOCKER_USER,
      environment,
    },
  });
}
