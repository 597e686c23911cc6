import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { integratorPermissions, permissionsFor, ROLES } from '@plexus/contracts';
import { createUser, fromSeed } from '@nats-io/nkeys';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Environment } from './config.js';
import type { NatsUser } from './nats-config.js';
import { isRoot } from './postgres-binary.js';
import { readOrCreatePrivate, readPrivate, writePrivate } from './private-file.js';
import { StartError } from './start-error.js';
import { type StatePaths, statePaths } from './state-paths.js';

/** The integrator that every embedded mesh knows: publishes as source `demo` of tenant `default`. */
export const DEMO_INTEGRATOR = { tenant: 'default', source: 'demo' } as const;
/** Domains that the demo integrator may read through durable consumers; `plexus integrator consumer` creates one. */
export const DEMO_DURABLE = ['session', 'push', 'routing', 'memory', 'vm'] as const;
/** NATS role of `plexus` and of the launcher: may do everything. */
export const OPERATOR_ROLE = 'operator';

/** A state folder with everything in it that a mesh needs before its first process starts. */
export interface PreparedState {
  readonly paths: StatePaths;
  /** Marks every process of this mesh (`PLEXUS_CLUSTER`), so that strays can be found. */
  readonly clusterId: string;
  readonly token: string;
  /** True when the token was made just now: show it. */
  readonly tokenIsNew: boolean;
  /** Public half of the signing key. */
  readonly publicKey: JWK;
  readonly natsUsers: readonly NatsUser[];
  readonly integratorPassword: string;
}

/**
 * Makes what is missing in the state folder: token (`PLEXUS_TOKEN` replaces it), signing key, master key, secrets and one nkey per NATS role.
 * Files are 0600 and written atomically; what exists is kept. The folder is 0700 (0711 as root, where Postgres runs as another user inside).
 */
export async function prepareState(stateDir: string, env: Environment = {}): Promise<PreparedState> {
  const paths = statePaths(stateDir);
  createFolder(paths);
  const given = env.PLEXUS_TOKEN;
  if (given !== undefined && given !== '' && !/^[\x21-\x7e]{1,512}$/.test(given)) {
    throw new StartError('SETTING_INVALID', 'PLEXUS_TOKEN must be 1 to 512 printable ASCII characters without spaces.');
  }
  const before = readPrivate(paths.token);
  if (given !== undefined && given !== '' && given !== before) writePrivate(paths.token, given);
  const token = readOrCreatePrivate(paths.token, () => randomBytes(32).toString('base64url'));
  if (!env.PLEXUS_MASTER_KEY) readOrCreatePrivate(paths.masterKey, () => randomBytes(32).toString('base64'));
  readOrCreatePrivate(paths.vmTokenSecret, () => randomBytes(32).toString('base64url'));
  const integratorPassword = readOrCreatePrivate(paths.integratorPassword, () => randomBytes(18).toString('base64url'));
  return {
    paths,
    clusterId: readOrCreatePrivate(paths.clusterId, () => randomBytes(10).toString('hex')),
    token,
    tokenIsNew: before === undefined && !given,
    publicKey: await signingKey(paths),
    natsUsers: natsUsers(paths, integratorPassword),
    integratorPassword,
  };
}

/** Removes everything in the state folder except downloaded programs. The mesh must not be running. */
export function clearState(stateDir: string): void {
  const paths = statePaths(stateDir);
  const credentials = [paths.token, paths.signingKey, paths.masterKey, paths.vmTokenSecret, paths.integratorUrl, paths.integratorPassword];
  const seeds = [...ROLES.map(({ name }) => name), OPERATOR_ROLE, DEMO_INTEGRATOR.source].map(paths.nkeySeed);
  const data = [paths.nats, paths.postgres, paths.memory, paths.vms, paths.traces, paths.logs];
  for (const entry of [...credentials, ...seeds, ...data, paths.clusterId, paths.configFileDigest, paths.meshRecord, paths.processes, paths.ports]) {
    rmSync(entry, { recursive: true, force: true });
  }
}

function createFolder(paths: StatePaths): void {
  try {
    mkdirSync(paths.root, { recursive: true, mode: 0o700 });
    chmodSync(paths.root, isRoot() ? 0o711 : 0o700);
    for (const folder of [paths.logs, paths.vms]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new StartError(
      'STATE_UNREADABLE',
      `The state folder ${paths.root} cannot be used: ${(cause as Error).message}`,
      'Name another one with --state or PLEXUS_STATE_DIR.',
      { cause },
    );
  }
}

async function signingKey(paths: StatePaths): Promise<JWK> {
  let text = readPrivate(paths.signingKey);
  if (text === undefined) {
    const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
    const jwk = await exportJWK(privateKey);
    text = JSON.stringify({ ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'EdDSA', use: 'sig' });
    writePrivate(paths.signingKey, text);
  }
  const { d: _private, ...publicHalf } = JSON.parse(text) as JWK;
  return publicHalf;
}

function natsUsers(paths: StatePaths, integratorPassword: string): NatsUser[] {
  const nkey = (role: string): { nkey: string } => {
    const seed = readOrCreatePrivate(paths.nkeySeed(role), () => new TextDecoder().decode(createUser().getSeed()));
    return { nkey: fromSeed(new TextEncoder().encode(seed)).getPublicKey() };
  };
  const { tenant, source } = DEMO_INTEGRATOR;
  const own = integratorPermissions(tenant, source, ['*'], undefined, DEMO_DURABLE);
  // The only integrator of this server: clients that know of no inbox prefix of their own must work too.
  const demo = { ...own, subscribe: { allow: [...own.subscribe.allow, '_INBOX.>'] } };
  return [
    ...ROLES.map((role) => ({ name: role.name, credential: nkey(role.name), permissions: permissionsFor(role) })),
    { name: OPERATOR_ROLE, credential: nkey(OPERATOR_ROLE) },
    { name: `integrator ${source}, by nkey`, credential: nkey(source), permissions: demo },
    { name: `integrator ${source}, by password`, credential: { user: source, password: integratorPassword }, permissions: demo },
  ];
}
