import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Bus } from '@plexus/bus';
import { type InputOf, type ResponseOf, type RpcContract, SCOPES } from '@plexus/contracts';
import { statePaths } from '@plexus/local-stack';
import { importJWK, type JWK, SignJWT } from 'jose';
import { CommandFailure, EXIT } from './exit-code.js';
import { type MeshOptions, withBus } from './mesh.js';

/** As whom a command calls. */
export interface OperatorCall {
  readonly tenant: string;
  /** The user that is acted for; absent: the owner of the embedded mesh. */
  readonly user?: string;
  readonly scopes?: readonly string[];
}

const TOKEN_SECONDS = 60;

/** A token of the tenant, signed with the key of the state folder, for one call. */
export async function operatorToken(mesh: MeshOptions, { tenant, user = 'me', scopes = [SCOPES.admin] }: OperatorCall): Promise<string> {
  const file = statePaths(mesh.state).signingKey;
  let jwk: JWK;
  try {
    jwk = JSON.parse(readFileSync(file, 'utf8')) as JWK;
  } catch (cause) {
    throw new CommandFailure(
      `The signing key ${file} cannot be read: ${(cause as Error).message}`,
      EXIT.unreachable,
      'Start the mesh once with `npm start`, or name its state folder with --state.',
      'NO_KEY',
    );
  }
  return new SignJWT({ tenant, scopes: [...scopes] })
    .setProtectedHeader({ alg: 'EdDSA', ...(jwk.kid === undefined ? {} : { kid: jwk.kid }) })
    .setSubject(user)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_SECONDS}s`)
    .sign(await importJWK(jwk, 'EdDSA'));
}

/** Calls an RPC of the mesh as its operator. */
export async function callAsOperator<C extends RpcContract>(mesh: MeshOptions, rpc: C, as: OperatorCall, data: InputOf<C>): Promise<ResponseOf<C>> {
  return withBus(mesh, async (bus: Bus) => bus.call(rpc, as.tenant, data, { token: await operatorToken(mesh, as) }));
}
