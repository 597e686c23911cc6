import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isTenantId, SCOPES } from '@plexus/contracts';
import { statePaths } from '@plexus/local-stack';
import type { Command } from 'commander';
import { importJWK, type JWK, SignJWT } from 'jose';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import type { Output } from '../output.js';
import { noteDoneOffline } from './audit.js';

const KNOWN_SCOPES: readonly string[] = Object.values(SCOPES);
const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Reads `90s`, `15m`, `12h` or `30d`. */
function seconds(text: string): number {
  const match = /^([1-9][0-9]{0,5})([smhd])$/.exec(text);
  if (match === null) throw new CommandFailure(`${JSON.stringify(text)} is not a duration.`, EXIT.usage, 'Write 90s, 15m, 12h or 30d.', 'USAGE');
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

function signingKey(file: string): JWK {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JWK;
  } catch (cause) {
    throw new CommandFailure(
      `The signing key ${file} cannot be read: ${(cause as Error).message}`,
      EXIT.failed,
      'Start the mesh once with `npm start`, or name a private JWK with --key.',
      'NO_KEY',
    );
  }
}

/** `plexus token mint`: a bearer token for one user of one tenant, signed with the key of the state folder. */
export function tokenCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  program
    .command('token')
    .description('bearer tokens of people and clients')
    .command('mint')
    .description('sign a token; print it alone on stdout')
    .requiredOption('--user <id>', 'the user, unique in its tenant')
    .option('--tenant <tenant>', 'the tenant', 'default')
    .option('--scopes <list>', `comma-separated: ${KNOWN_SCOPES.join(', ')}`, `${SCOPES.read},${SCOPES.write}`)
    .option('--ttl <duration>', 'how long it is valid: 90s, 15m, 12h, 30d', '12h')
    .option('--key <file>', 'private Ed25519 JWK; default: the one in the state folder')
    .action(async (options: { user: string; tenant: string; scopes: string; ttl: string; key?: string }) => {
      if (!isTenantId(options.tenant))
        throw new CommandFailure(`${JSON.stringify(options.tenant)} is not a tenant id.`, EXIT.usage, 'Tenant ids are [a-z0-9][a-z0-9_-]{0,63}.', 'USAGE');
      const scopes = options.scopes
        .split(',')
        .map((scope) => scope.trim())
        .filter((scope) => scope !== '');
      const unknown = scopes.filter((scope) => !KNOWN_SCOPES.includes(scope));
      if (unknown.length > 0) throw new CommandFailure(`Unknown scope ${unknown.join(', ')}.`, EXIT.usage, `Known: ${KNOWN_SCOPES.join(', ')}.`, 'USAGE');
      const expiresAt = Math.floor(Date.now() / 1_000) + seconds(options.ttl);
      const jwk = signingKey(options.key ?? statePaths(mesh().state).signingKey);
      const tokenId = randomUUID();
      const token = await new SignJWT({ tenant: options.tenant, scopes })
        .setProtectedHeader({ alg: 'EdDSA', ...(jwk.kid === undefined ? {} : { kid: jwk.kid }) })
        .setSubject(options.user)
        .setJti(tokenId)
        .setIssuedAt()
        .setExpirationTime(expiresAt)
        .sign(await importJWK(jwk, 'EdDSA'));
      const expires = new Date(expiresAt * 1_000).toISOString();
      await noteDoneOffline(mesh(), output(), options.tenant, 'token.mint', { user: options.user, scopes, expires, tokenId });
      output().note(`Token of ${options.user} in ${options.tenant} (${scopes.join(' ')}), valid until ${new Date(expiresAt * 1_000).toISOString()}:`);
      output().result({ token, tenant: options.tenant, user: options.user, scopes, expiresAt: new Date(expiresAt * 1_000).toISOString() }, token);
    });
}
