import { PlatformConfig, type PlatformConfigInput } from '@plexus/agent-config';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { Authenticator } from '../../application/authenticator.js';
import { DeclaredIssuers } from './declared-issuers.js';

const NOW = Date.UTC(2026, 10, 21);
const ISSUER = { issuer: 'https://id.example', jwksUrl: 'https://id.example/keys', audience: 'plexus' };

async function keyPair(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' } };
}
type Pair = Awaited<ReturnType<typeof keyPair>>;

describe('tokens of issuers that a tenant trusts', () => {
  let one: Pair;
  let two: Pair;
  beforeAll(async () => {
    one = await keyPair('one');
    two = await keyPair('two');
  });

  function world(declared: PlatformConfigInput = { tenants: { acme: { issuers: [ISSUER] }, other: {} } }) {
    const state = { platform: PlatformConfig.parse(declared), keys: [one.jwk] as unknown[], status: 200, asked: 0, at: 0 };
    const fetch = async () => {
      state.asked += 1;
      return new Response(JSON.stringify({ keys: state.keys }), { status: state.status });
    };
    const issuers = new DeclaredIssuers(() => state.platform, { fetch }, { now: () => NOW, monotonic: () => state.at }, { warn: () => undefined });
    const authenticator = new Authenticator({
      shared: undefined,
      tenants: { has: (tenant: string) => tenant in state.platform.tenants, tokenBySha256: () => undefined, signingKey: () => undefined } as never,
      revocations: { isRevoked: () => false },
      verifyJwt: () => Promise.reject(new Error('not the way of these tokens')),
      issuers,
      now: () => NOW,
    });
    return { state, issuers, authenticator };
  }
  const sign = (claims: JWTPayload = {}, pair = one) =>
    new SignJWT({ iss: ISSUER.issuer, aud: ISSUER.audience, sub: 'ann', scope: 'openid operator.read', exp: NOW / 1_000 + 60, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: pair.kid })
      .sign(pair.privateKey);

  it('are users of the tenant that trusts it, whatever tenant they name', async () => {
    const { authenticator } = world();
    const found = await authenticator.authenticate(await sign({ tenant: 'other', jti: 't-1' }));
    expect(found).toMatchObject({
      ok: true,
      value: { tenant: 'acme', user: 'ann', scopes: ['operator.read'], credentialId: 't-1', expiresAt: NOW + 60_000, proof: { kind: 'issued' } },
    });
  });

  it.each<[string, JWTPayload, string]>([
    ['for another audience', { aud: 'somebody-else' }, 'mismatch'],
    ['without an audience', { aud: undefined }, 'mismatch'],
    ['that have expired', { exp: NOW / 1_000 - 60 }, 'expired'],
    ['that never expire', { exp: undefined }, 'mismatch'],
    ['that are not good yet', { nbf: NOW / 1_000 + 60 }, 'mismatch'],
    ['without a user', { sub: '' }, 'mismatch'],
    ['of another issuer', { iss: 'https://evil.example' }, 'mismatch'],
  ])('%s are refused', async (_what, claims, error) => {
    expect(await world().authenticator.authenticate(await sign(claims))).toEqual({ ok: false, error });
  });

  it('signed with a key that is not the issuer’s are refused', async () => {
    const { authenticator } = world();
    expect(await authenticator.authenticate(await sign({}, two))).toEqual({ ok: false, error: 'mismatch' });
    expect(await authenticator.authenticate(await sign({}, { ...two, kid: 'one' }))).toEqual({ ok: false, error: 'mismatch' });
  });

  it('say by other claims who they are and what they may, as the tenant declares', async () => {
    const rule = { ...ISSUER, userClaim: 'email', scopesClaim: 'groups', scopes: { staff: ['operator.read', 'operator.write'], boss: ['operator.admin'] } };
    const { authenticator } = world({ tenants: { acme: { issuers: [rule] } } });
    const token = await sign({ email: 'ann@example.org', groups: ['staff', 'operator.admin', 'constructor', 7] });
    expect(await authenticator.authenticate(token)).toMatchObject({ value: { user: 'ann@example.org', scopes: ['operator.read', 'operator.write'] } });
  });

  it('hold no longer when the tenant trusts the issuer no longer', async () => {
    const { authenticator, issuers, state } = world();
    const found = await authenticator.authenticate(await sign());
    if (!found.ok) throw new Error(found.error);
    expect(authenticator.isWithdrawn(found.value)).toBe(false);
    state.platform = PlatformConfig.parse({ tenants: { acme: { issuers: [{ ...ISSUER, audience: 'new' }] } } });
    issuers.changed();
    expect(authenticator.isWithdrawn(found.value)).toBe(true);
    expect((await authenticator.authenticate(await sign())).ok).toBe(false);
  });

  it('need its keys once, again for a new key, and not for every token with a wrong one', async () => {
    const { authenticator, state } = world();
    const accepted = async (pair: Pair) => (await authenticator.authenticate(await sign({}, pair))).ok;
    expect(await Promise.all([accepted(one), accepted(one), accepted(one)])).toEqual([true, true, true]);
    expect(state.asked).toBe(1);
    for (let i = 0; i < 5; i += 1) expect(await accepted(two)).toBe(false);
    expect(state.asked).toBe(1);
    state.keys = [one.jwk, two.jwk];
    state.at += 30_000;
    expect(await accepted(two)).toBe(true);
    expect(state.asked).toBe(2);
  });

  it('are taken with the last good keys while the issuer is away, for a day', async () => {
    const { authenticator, state } = world();
    const ask = async () => authenticator.authenticate(await sign());
    expect((await ask()).ok).toBe(true);
    state.status = 503;
    for (const hours of [1, 10, 23.9]) {
      state.at = hours * 3_600_000;
      expect((await ask()).ok).toBe(true);
    }
    state.at = 25 * 3_600_000;
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const { asked } = state;
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(state.asked).toBe(asked);
    state.status = 200;
    state.at += 30_000;
    expect((await ask()).ok).toBe(true);
  });
});
