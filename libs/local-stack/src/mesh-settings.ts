import path from 'node:path';
import type { Environment } from './config.js';
import { repositoryRoot } from './repository.js';
import { StartError } from './start-error.js';

/** The services of a mesh, in the order in which they are shown. */
export const SERVICES = ['routing', 'push', 'memory', 'scheduler', 'gateway'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Services whose tables live in the shared Postgres, each in a schema of its own name. */
export const DATABASE_SERVICES: readonly ServiceName[] = ['routing', 'push', 'scheduler'];

export const DEFAULT_GATEWAY_PORT = 18_789;

/** State folder: `PLEXUS_STATE_DIR`, else `.plexus` in the repository. */
export function stateDirFrom(env: Environment): string {
  return path.resolve(env.PLEXUS_STATE_DIR || path.join(repositoryRoot(), '.plexus'));
}

/** `PLEXUS_GATEWAY_PORT`, default 18789; 0 asks for any free port. */
export function gatewayPortFrom(env: Environment): number {
  const text = env.PLEXUS_GATEWAY_PORT;
  if (text === undefined || text === '') return DEFAULT_GATEWAY_PORT;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new StartError('SETTING_INVALID', `PLEXUS_GATEWAY_PORT is ${JSON.stringify(text)}; it must be a port number, or 0 for any free one.`);
  }
  return port;
}

/** Flags of Node for the services: `PLEXUS_NODE_FLAGS`, separated by spaces; default: small young generations, for little memory at rest. */
export function nodeFlagsFrom(env: Environment): string[] {
  const flags = env.PLEXUS_NODE_FLAGS;
  return flags === undefined ? ['--max-semi-space-size=2', '--max-old-space-size=256'] : flags.split(/\s+/).filter((flag) => flag !== '');
}
