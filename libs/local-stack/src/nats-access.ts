import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { BusCredentials, BusTls } from '@plexus/bus';
import type { Environment } from './config.js';
import { OPERATOR_ROLE } from './state.js';

/** How whoever starts a mesh reaches its NATS. */
export interface NatsAccess {
  readonly natsUrl: string;
  /** Absent: the server asks for none. */
  readonly seedFile: string | undefined;
  readonly tls?: BusTls | undefined;
}

/** `NATS_CA_FILE`, `NATS_CERT_FILE` and `NATS_KEY_FILE`, as services read them; undefined when none is set. */
export function natsTlsFrom(env: Environment): BusTls | undefined {
  const { NATS_CA_FILE: caFile, NATS_CERT_FILE: certFile, NATS_KEY_FILE: keyFile } = env;
  if (!caFile && !certFile && !keyFile) return undefined;
  return { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
}

/**
 * The credential of a service at a NATS server of the user's: its own in the folder `PLEXUS_NATS_SEEDS`, as `plexus nats accounts` writes it, else the one
 * for all, `NATS_NKEY_SEED_FILE`.
 */
export function externalSeedFile(name: string, env: Environment): string | undefined {
  return env.PLEXUS_NATS_SEEDS ? path.resolve(env.PLEXUS_NATS_SEEDS, `${name}.nk`) : env.NATS_NKEY_SEED_FILE;
}

/** The same for whoever starts the mesh. */
export function externalAccess(natsUrl: string, env: Environment): NatsAccess {
  return { natsUrl, seedFile: externalSeedFile(OPERATOR_ROLE, env), tls: natsTlsFrom(env) };
}

/** What a connection is opened with. */
export function connectionOf({ natsUrl, seedFile, tls }: NatsAccess): { servers: string; credentials: BusCredentials | undefined; tls?: BusTls } {
  return { servers: natsUrl, credentials: seedFile === undefined ? undefined : { nkeySeed: readFileSync(seedFile, 'utf8').trim() }, ...(tls && { tls }) };
}
