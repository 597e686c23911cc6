import type { PlatformConfig, TokenIssuer } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import type { GuardedFetch } from '@plexus/service-kit';
import { decodeJwt, errors, type JSONWebKeySet, jwtVerify } from 'jose';
import type { IssuedToken, Issuers } from '../../application/authenticator.js';
import type { Log } from '../../application/ports.js';
import { readIssuedClaims } from '../../domain/issued-claims.js';
import { RemoteKeys } from './remote-keys.js';

const READ_LIMIT_MS = 5_000;
const CLOCK_TOLERANCE_S = 5;
/** Public-key algorithms only: with a shared secret everybody who checks could also sign. */
const ALGORITHMS = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];

export interface IssuerClocks {
  /** Wall clock, ms. */
  now(): number;
  /** Never goes back, ms. */
  monotonic(): number;
}

interface Declared {
  readonly tenant: string;
  readonly rule: TokenIssuer;
}

/** The issuers that tenants of the platform configuration trust, with their keys. */
export class DeclaredIssuers implements Issuers {
  private readonly keys = new Map<string, RemoteKeys>();
  /** The declarations of one state of the configuration: looked through for every token. */
  private known: { readonly platform: PlatformConfig; readonly list: readonly Declared[] } | undefined;

  constructor(
    private readonly platform: () => PlatformConfig,
    private readonly http: Pick<GuardedFetch, 'fetch'>,
    private readonly clocks: IssuerClocks,
    private readonly log: Pick<Log, 'warn'>,
  ) {}

  async verify(token: string): Promise<IssuedToken | undefined> {
    const claims = claimsOf(token);
    const audiences = claims === undefined ? [] : [claims.aud ?? []].flat();
    const found = this.declared().find(({ rule }) => rule.issuer === claims?.iss && audiences.includes(rule.audience));
    if (found === undefined) {
      // Of an issuer that is known, but for somebody else: nobody's keys here would do.
      if (this.declared().some(({ rule }) => rule.issuer === claims?.iss))
        throw plexusError('UNAUTHENTICATED', { details: { reason: 'the audience is another' } });
      return undefined;
    }
    return this.check(token, found.tenant, found.rule);
  }

  isDeclared(tenant: string, name: string): boolean {
    const { tenants } = this.platform();
    return Object.hasOwn(tenants, tenant) && (tenants[tenant]?.issuers ?? []).some((rule) => nameOf(rule) === name);
  }

  /** Forgets keys of addresses that no tenant names any more. */
  changed(): void {
    const named = new Set(this.declared().map(({ rule }) => rule.jwksUrl));
    for (const url of this.keys.keys()) if (!named.has(url)) this.keys.delete(url);
  }

  private async check(token: string, tenant: string, rule: TokenIssuer): Promise<IssuedToken> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, this.keysAt(rule.jwksUrl).find, {
        issuer: rule.issuer,
        audience: rule.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(this.clocks.now()),
      });
      const who = readIssuedClaims(payload, rule);
      if (who === undefined) throw plexusError('UNAUTHENTICATED', { details: { reason: 'it names no user' } });
      const credentialId = typeof payload.jti === 'string' && payload.jti !== '' ? payload.jti.slice(0, 128) : `issuer-key-${protectedHeader.kid ?? 'only'}`;
      return { tenant, ...who, credentialId, expiresAt: (payload.exp as number) * 1_000, issuer: nameOf(rule) };
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
        throw plexusError('UNAUTHENTICATED', { details: { reason: 'it is not a valid token of the issuer' }, cause: error });
      throw error;
    }
  }

  private keysAt(url: string): RemoteKeys {
    let keys = this.keys.get(url);
    if (keys === undefined) {
      keys = new RemoteKeys(() => this.read(url), this.clocks.monotonic, this.log);
      this.keys.set(url, keys);
    }
    return keys;
  }

  private async read(url: string): Promise<JSONWebKeySet> {
    const answer = await this.http.fetch(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: AbortSignal.timeout(READ_LIMIT_MS),
    });
    if (answer.status !== 200) {
      await answer.body?.cancel();
      throw new Error(`the answer has status ${answer.status}`);
    }
    return (await answer.json()) as JSONWebKeySet;
  }

  private declared(): readonly Declared[] {
    const platform = this.platform();
    if (this.known?.platform !== platform) {
      const list = Object.entries(platform.tenants).flatMap(([tenant, { issuers = [] }]) => issuers.map((rule) => ({ tenant, rule })));
      this.known = { platform, list };
    }
    return this.known.list;
  }
}

/** Another address of keys, another audience: another issuer. What it calls users and scopes may change. */
function nameOf({ issuer, jwksUrl, audience }: TokenIssuer): string {
  return JSON.stringify([issuer, jwksUrl, audience]);
}

function claimsOf(token: string): { readonly iss?: string; readonly aud?: string | string[] } | undefined {
  try {
    return decodeJwt(token);
  } catch {
    // Not a JWT at all.
    return undefined;
  }
}
