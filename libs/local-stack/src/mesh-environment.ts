import path from 'node:path';
import type { ChannelProcess } from './channel-processes.js';
import type { Environment } from './config.js';
import { CLUSTER_MARKER } from './leftovers.js';
import type { ServiceName } from './mesh-settings.js';
import { repositoryRoot } from './repository.js';
import { externalSeedFile } from './nats-access.js';
import type { StatePaths } from './state-paths.js';

/** Addresses and files that the services of one mesh share. */
export interface MeshAddresses {
  readonly paths: StatePaths;
  readonly clusterId: string;
  readonly natsUrl: string;
  /** False for a server of the user's: then the credential is one of the launcher's settings, see `externalSeedFile`. */
  readonly natsIsEmbedded: boolean;
  readonly databaseUrl: string;
  readonly memoryDatabaseUrl: string;
  readonly gatewayPort: number;
}

/** Ours to set or to keep back; everything else (LOG_LEVEL, OTEL_…, proxies, …) is inherited from the launcher. */
const NOT_INHERITED = [
  'PLEXUS_TOKEN',
  'PLEXUS_MASTER_KEY',
  'NATS_URL',
  'NATS_NKEY_SEED_FILE',
  'DATABASE_URL',
  'MEMORY_DATABASE_URL',
  'INTERNAL_PORT',
  'GATEWAY_PORT',
  'OTEL_SERVICE_NAME',
  'NODE_CHANNEL_FD',
  'NODE_OPTIONS',
];
const MODEL_SETTINGS = /^PLEXUS_MODEL/;

/** The complete environment of one service: the launcher's own, without secrets that are none of its business, and its part of the mesh. */
export function serviceEnvironment(service: ServiceName | ChannelProcess, mesh: MeshAddresses, env: Environment): Environment {
  const inherited = Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !NOT_INHERITED.includes(name) && !name.startsWith('npm_') && (service === 'scheduler' || !MODEL_SETTINGS.test(name)),
    ),
  );
  return {
    ...inherited,
    NATS_URL: mesh.natsUrl,
    NATS_NKEY_SEED_FILE: mesh.natsIsEmbedded ? mesh.paths.nkeySeed(service) : externalSeedFile(service, env),
    OTEL_SERVICE_NAME: service,
    PLEXUS_TRACE_DIR: env.PLEXUS_TRACE_DIR ?? mesh.paths.traces,
    PLEXUS_STATE_DIR: mesh.paths.root,
    [CLUSTER_MARKER]: mesh.clusterId,
    PLEXUS_EMBEDDED: '1',
    PLEXUS_PARENT_BOUND: '1',
    // The embedded profile: nobody balances load in front of us, and Ctrl-C should feel immediate.
    PROPAGATION_DELAY_MS: '0',
    SHUTDOWN_TIMEOUT_MS: '3000',
    INTERNAL_PORT: '0',
    // glibc keeps an arena per thread otherwise, which costs a service at rest some 20 MB.
    MALLOC_ARENA_MAX: env.MALLOC_ARENA_MAX ?? '2',
    ...ownSettings(service, mesh, env),
  };
}

function ownSettings(service: ServiceName | ChannelProcess, mesh: MeshAddresses, env: Environment): Environment {
  switch (service) {
    case 'gateway':
      return {
        GATEWAY_PORT: String(mesh.gatewayPort),
        GATEWAY_TOKEN_FILE: mesh.paths.token,
        CONSOLE_DIR: env.CONSOLE_DIR ?? path.join(repositoryRoot(), 'services/console/dist/page'),
      };
    case 'scheduler':
      return {
        DATABASE_URL: mesh.databaseUrl,
        VM_TOKEN_SECRET_FILE: mesh.paths.vmTokenSecret,
        // Where VMs reach the gateway by another way, through a proxy for instance.
        CONTROL_PLANE_WS: env.CONTROL_PLANE_WS ?? `ws://127.0.0.1:${mesh.gatewayPort}/ws/vm`,
        ...masterKey(mesh, env),
      };
    case 'memory':
      // Whoever starts a mesh with one command has no migration job; the service applies its own under a lock.
      return { MEMORY_DATABASE_URL: mesh.memoryDatabaseUrl, MEMORY_MIGRATE: env.MEMORY_MIGRATE ?? '1', ...masterKey(mesh, env) };
    case 'push':
      // On a machine of one person whoever writes the configuration may reach everything anyway.
      return { DATABASE_URL: mesh.databaseUrl, PUSH_PRIVATE_HOSTS: env.PUSH_PRIVATE_HOSTS ?? '*', ...masterKey(mesh, env) };
    case 'routing':
      return { DATABASE_URL: mesh.databaseUrl };
    default:
      // As for push.
      return { CHANNEL_PRIVATE_HOSTS: env.CHANNEL_PRIVATE_HOSTS ?? '*' };
  }
}

/** Seals what the scheduler keeps of users, wraps memory's keys of tenants, and opens what push finds sealed in their configuration. */
function masterKey(mesh: MeshAddresses, env: Environment): Environment {
  return env.PLEXUS_MASTER_KEY ? { PLEXUS_MASTER_KEY: env.PLEXUS_MASTER_KEY } : { PLEXUS_MASTER_KEY_FILE: mesh.paths.masterKey };
}
