import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createUser, fromSeed } from '@nats-io/nkeys';
import { integratorName, integratorPermissions, permissionsFor, ROLES } from '@plexus/contracts';
import { type NatsUser, renderUsers } from './nats-config.js';
import { OPERATOR_ROLE } from './state.js';
import { readOrCreatePrivate, readPrivate, writePrivate } from './private-file.js';
import { StartError } from './start-error.js';

/** Somebody else's service: publishes as one source of one tenant, calls what people call, and reads the granted event domains. */
export interface Integrator {
  readonly tenant: string;
  readonly source: string;
  readonly granted: readonly string[];
  /** Those of them that it may also read through a durable consumer (`plexus integrator consumer`). */
  readonly durable?: readonly string[];
}

/** The files of one folder, as `plexus nats accounts` keeps them. */
export interface NatsAccounts {
  /** Path of the server's part: `accounts.conf`, public keys only. */
  readonly configFile: string;
  /** Every credential: who it is, where its seed is, and whether a former seed is still accepted. */
  readonly credentials: readonly { readonly name: string; readonly seedFile: string; readonly hasPrevious: boolean }[];
}

/** Sees what goes on in the servers (`nats server …`), and none of the messages. */
const SYSTEM = 'system';

/** Reads `<tenant>/<source>` or `<tenant>/<source>=<domain>,<domain>:durable`. Throws a StartError for anything else. */
export function parseIntegrator(text: string): Integrator {
  const [, tenant, source, granted] = /^([a-z0-9][a-z0-9_-]{0,63})\/([a-z0-9][a-z0-9_-]{0,63})(?:=([a-z0-9_,:-]+))?$/.exec(text) ?? [];
  if (tenant === undefined || source === undefined)
    throw new StartError('SETTING_INVALID', `${JSON.stringify(text)} is no integrator.`, 'Write <tenant>/<source> or <tenant>/<source>=<domain>,<domain>.');
  const domains = (granted?.split(',') ?? []).filter((domain) => domain !== '').map((domain) => domain.split(':'));
  if (domains.some(([, mode, more]) => (mode !== undefined && mode !== 'durable') || more !== undefined))
    throw new StartError('SETTING_INVALID', `${JSON.stringify(text)} is no integrator.`, 'After a domain only :durable may stand.');
  const names = (chosen: string[][]): string[] => chosen.map(([domain]) => domain as string);
  return { tenant, source, granted: names(domains), durable: names(domains.filter(([, mode]) => mode === 'durable')) };
}

/**
 * Writes `accounts.conf` and one nkey seed (0600) per role, integrator, operator and system user into a folder. Seeds that exist are kept, so
 * that it may be run after every upgrade for what the contracts allow now. `rotate` names credentials that get a new seed, while the former one
 * stays accepted (`<name>.previous.nk`) until `retire` names it. VMs have no credential: they know only their socket.
 */
export function writeNatsAccounts(
  folder: string,
  options: { readonly integrators?: readonly Integrator[]; readonly rotate?: readonly string[]; readonly retire?: readonly string[] } = {},
): NatsAccounts {
  const { integrators = [], rotate = [], retire = [] } = options;
  const named = [
    ...ROLES.map((role) => ({ name: role.name, permissions: permissionsFor(role) })),
    ...integrators.map(({ tenant, source, granted, durable }) => ({
      name: integratorName(tenant, source),
      permissions: integratorPermissions(tenant, source, granted, undefined, durable),
    })),
    { name: OPERATOR_ROLE, permissions: undefined },
  ];
  const known = [...named.map(({ name }) => name), SYSTEM];
  const strangers = [...rotate, ...retire].filter((name) => !known.includes(name));
  if (strangers.length > 0)
    throw new StartError('SETTING_INVALID', `There is no credential called ${strangers.join(', ')}.`, `There are: ${known.join(', ')}.`);

  // Rotated first: whoever names a credential twice wants nothing but the new seed to be accepted, as after a leak.
  for (const name of rotate) rotateSeed(folder, name);
  for (const name of retire) rmSync(previousFile(folder, name), { force: true });
  const users = named.flatMap(({ name, permissions }) =>
    publicKeys(folder, name).map((nkey): NatsUser => ({ name, credential: { nkey }, ...(permissions === undefined ? {} : { permissions }) })),
  );
  const system = publicKeys(folder, SYSTEM).map((nkey): NatsUser => ({ name: SYSTEM, credential: { nkey } }));
  const configFile = path.join(folder, 'accounts.conf');
  writePrivate(configFile, renderAccounts(users, system));
  return {
    configFile,
    credentials: known.map((name) => ({ name, seedFile: seedFile(folder, name), hasPrevious: existsSync(previousFile(folder, name)) })),
  };
}

/** The `accounts` of a server's configuration: everything of Plexus in one, the system's in another. Nobody may connect without a key. */
function renderAccounts(users: readonly NatsUser[], system: readonly NatsUser[]): string {
  const lines = [
    '# Written by `plexus nats accounts`; changes made here are lost. Public keys only.',
    'accounts {',
    '  PLEXUS {',
    '    jetstream: enabled',
    '    users: [',
    ...renderUsers(users).map((line) => `  ${line}`),
    '    ]',
    '  }',
    '  SYS {',
    '    users: [',
    ...renderUsers(system).map((line) => `  ${line}`),
    '    ]',
    '  }',
    '}',
    'system_account: SYS',
    '',
  ];
  return lines.join('\n');
}

const seedFile = (folder: string, name: string): string => path.join(folder, 'seeds', `${name}.nk`);
const previousFile = (folder: string, name: string): string => path.join(folder, 'seeds', `${name}.previous.nk`);
const newSeed = (): string => new TextDecoder().decode(createUser().getSeed());

/** The former seed is kept first: a crash between the two leaves both files with the seed that works. */
function rotateSeed(folder: string, name: string): void {
  const current = readPrivate(seedFile(folder, name));
  if (current !== undefined && current !== '') writePrivate(previousFile(folder, name), current);
  writePrivate(seedFile(folder, name), newSeed());
}

/** Of the current seed, and of the former one where it is still there. */
function publicKeys(folder: string, name: string): string[] {
  const seeds = [readOrCreatePrivate(seedFile(folder, name), newSeed), readPrivate(previousFile(folder, name))];
  return [...new Set(seeds.filter((seed) => seed !== undefined && seed !== '').map((seed) => fromSeed(new TextEncoder().encode(seed)).getPublicKey()))];
}
