import { type Bucket, type BucketEntry, type Bus, connectBus } from '@plexus/bus';
import { BUCKETS, type Principal } from '@plexus/contracts';
import { FakeClock } from '@plexus/kernel';
import { waitFor } from '@plexus/testing';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { pino } from 'pino';
import { KeyDirectory } from '../src/identity/key-directory.js';
import { MeshIdentity } from '../src/identity/mesh-identity.js';
import { Revocations } from '../src/identity/revocations.js';
import { SigningKey } from '../src/identity/signing-key.js';
import { WatchedTenantDirectory } from '../src/tenants/watched-tenant-directory.js';
import { publishTestIssuer, type TestIssuer } from './support/test-issuer.js';
import { startMesh, type TestMesh } from './support/test-mesh.js';

const log = pino({ level: 'silent' });
const SECOND = 1_000;
const anna: Principal = { tenant: 'acme', user: 'anna', role: 'user', scopes: ['operator.write'], credentialId: 'c1' };
const claims: JWTPayload = { tenant: 'acme', sub: 'anna', role: 'user', scopes: [], cid: 'c1' };

describe('identity across services', () => {
  let mesh: TestMesh;
  let gateway: Awaited<ReturnType<typeof join>>;
  let routing: Awaited<ReturnType<typeof join>>;
  const clock = new FakeClock(Date.now());
  let attacker: TestIssuer;

  /** What `startService` wires for one service, on a connection and clock of the test. */
  async function join(service: string) {
    const bus: Bus = await connectBus({ service, servers: mesh.nats.url });
    const keyBucket = await bus.kv(BUCKETS.keys);
    let reads = 0;
    const counted: Pick<Bucket, 'get'> = {
      get: (key): Promise<BucketEntry | undefined> => {
        reads += 1;
        return keyBucket.get(key);
      },
    };
    const tenants = new WatchedTenantDirectory(log);
    const revocations = new Revocations();
    const key = await SigningKey.publish(service, `${service}-1`, keyBucket, clock, log);
    await Promise.all([tenants.start(await bus.kv(BUCKETS.config)), revocations.start(await bus.kv(BUCKETS.revocations))]);
    const keys = new KeyDirectory(counted, clock);
    const identity = new MeshIdentity({ service, key, keys, revocations, tenants, clock });
    return { bus, identity, key, tenants, reads: () => reads };
  }

  const at = (seconds = 0) => Math.floor(clock.now() / SECOND) + seconds;
  const refusal = (reason: string) => ({ code: 'UNAUTHENTICATED', details: { reason: expect.stringContaining(reason) } });

  beforeAll(async () => {
    mesh = await startMesh();
    gateway = await join('gateway');
    routing = await join('routing');
    attacker = await publishTestIssuer(mesh, 'push');
  });
  afterAll(async () => {
    for (const { bus, key, identity } of [gateway, routing]) {
      key.stop();
      identity.stop();
      await bus.close();
    }
    await mesh.stop();
  });

  it('carries a principal from the gateway to another service, unchanged and frozen', async () => {
    const principal = await routing.identity.verify(await gateway.identity.mint(anna));
    expect(principal).toEqual(anna);
    expect(() => (principal.scopes as string[]).push('operator.admin')).toThrow(TypeError);
  });

  it('reads a signing key once, and answers a token that it knows without waiting for anything', async () => {
    const token = await gateway.identity.mint({ ...anna, user: 'bert' });
    await routing.identity.verify(token);
    const before = routing.reads();
    const again = routing.identity.forBus.verify(token);
    expect(again).toEqual({ ...anna, user: 'bert' });
    await routing.identity.verify(await gateway.identity.mint({ ...anna, user: 'carl' }));
    expect(routing.reads()).toBe(before);
  });

  it('mints one token for any number of simultaneous calls and hands it out for 29 s, so that at least 30 s of it are left', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => gateway.identity.mint({ ...anna, user: 'dora' })));
    expect(new Set(tokens).size).toBe(1);
    await clock.advance(28 * SECOND);
    const late = await gateway.identity.mint({ ...anna, user: 'dora' });
    expect(late).toBe(tokens[0]);
    const { exp } = JSON.parse(Buffer.from(late.split('.')[1] as string, 'base64url').toString());
    expect(exp * SECOND - clock.now()).toBeGreaterThanOrEqual(30 * SECOND);
    await clock.advance(2 * SECOND);
    expect(await gateway.identity.mint({ ...anna, user: 'dora' })).not.toBe(late);
  });

  it('speaks for a service with role service, for one tenant or none', async () => {
    const own = routing.identity.service('_');
    expect(own).toEqual({ tenant: '_', role: 'service', scopes: [], source: 'routing', credentialId: 'service-routing' });
    await expect(gateway.identity.verify(await routing.identity.mint(own))).resolves.toEqual(own);
    await expect(routing.identity.mint(anna)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('refuses a token once it has expired, give or take the clock tolerance, also when it is remembered', async () => {
    const token = await gateway.identity.mint({ ...anna, user: 'emil' });
    await expect(routing.identity.verify(token)).resolves.toMatchObject({ user: 'emil' });
    await clock.advance(63 * SECOND);
    await expect(routing.identity.verify(token)).resolves.toMatchObject({ user: 'emil' });
    await clock.advance(4 * SECOND);
    await expect(routing.identity.verify(token)).rejects.toMatchObject(refusal('expired'));
  });

  it('refuses roles that only the gateway may speak for from every other issuer, however well signed', async () => {
    for (const role of ['user', 'operator', 'vm']) {
      await expect(routing.identity.verify(await attacker.token({ ...claims, role }, { issuedAt: at() }))).rejects.toMatchObject(
        refusal('may not speak for this role'),
      );
    }
    await expect(routing.identity.verify(await attacker.token({ ...claims, role: 'service' }, { issuedAt: at() }))).resolves.toMatchObject({ role: 'service' });
  });

  it('refuses a token that names the gateway as issuer but is signed by somebody else', async () => {
    await expect(routing.identity.verify(await attacker.token(claims, { issuer: 'gateway', issuedAt: at() }))).rejects.toMatchObject(refusal('not known'));
    const forged = await attacker.token(claims, { issuer: 'gateway', header: { kid: gateway.key.kid }, issuedAt: at() });
    await expect(routing.identity.verify(forged)).rejects.toMatchObject(refusal('signature'));
  });

  it('refuses a key whose entry was put under a foreign kid', async () => {
    const stranger = await generateKeyPair('EdDSA');
    const kid = 'A'.repeat(43);
    await (await mesh.admin.kv(BUCKETS.keys)).put(`gateway.${kid}`, { ...(await exportJWK(stranger.publicKey)), kid });
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'plexus-principal+jwt' })
      .setIssuer('gateway')
      .setAudience('plexus')
      .setIssuedAt(at())
      .setExpirationTime(at(60))
      .sign(stranger.privateKey);
    await expect(routing.identity.verify(token)).rejects.toMatchObject(refusal('not known'));
  });

  it.each<[string, JWTPayload, Parameters<TestIssuer['token']>[1], string]>([
    ['a foreign audience', { ...claims, role: 'service' }, { audience: 'elsewhere' }, 'not valid'],
    ['a lifetime beyond 60 s', { ...claims, role: 'service' }, { lifetimeSeconds: 3_600 }, 'too long'],
    ['no tenant', { role: 'service', scopes: [], cid: 'x' }, {}, 'claims'],
    ['an unknown role', { ...claims, role: 'root' }, {}, 'claims'],
    ['scopes that are no list', { ...claims, role: 'service', scopes: 'operator.admin' }, {}, 'claims'],
  ])('refuses %s', async (_what, payload, change, reason) => {
    await expect(routing.identity.verify(await attacker.token(payload, { issuedAt: at(), ...change }))).rejects.toMatchObject(refusal(reason));
  });

  it('refuses what is no token, without looking for keys', async () => {
    const before = routing.reads();
    const none = `${Buffer.from('{"alg":"none","typ":"plexus-principal+jwt"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
    for (const token of ['', 'x', 'a.b.c', none, 'y'.repeat(9_000), `${none.slice(0, 40)}\u0000`]) {
      await expect(routing.identity.verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
    expect(routing.reads()).toBe(before);
  });

  it('looks an unknown kid up once, remembers that there is none, and finds it after a while', async () => {
    const late = await publishTestIssuer(mesh, 'memory', { publish: false });
    const token = await late.token({ ...claims, role: 'service' }, { issuedAt: at() });
    const before = routing.reads();
    const verdicts = await Promise.allSettled(Array.from({ length: 50 }, () => routing.identity.verify(token)));
    expect(verdicts.every((verdict) => verdict.status === 'rejected')).toBe(true);
    expect(routing.reads()).toBe(before + 1);

    await late.publish();
    await expect(routing.identity.verify(token)).rejects.toMatchObject(refusal('not known'));
    await clock.advance(11 * SECOND);
    await expect(routing.identity.verify(token)).resolves.toMatchObject({ role: 'service' });
  });

  it('stops trusting a key soon after it was taken out of the bucket', async () => {
    const issuer = await publishTestIssuer(mesh, 'scheduler');
    await routing.identity.verify(await issuer.token({ ...claims, role: 'service' }, { issuedAt: at() }));
    await (await mesh.admin.kv(BUCKETS.keys)).delete(`scheduler.${issuer.kid}`);
    await clock.advance(5 * 60 * SECOND + 1);
    await expect(routing.identity.verify(await issuer.token({ ...claims, role: 'service' }, { issuedAt: at() }))).rejects.toMatchObject(refusal('not known'));
  });

  it.each([
    ['a user', `user.acme.${'x--anna_40example'}`, { ...anna, user: 'anna@example' }],
    ['a credential', 'credential.c-77', { ...anna, user: 'fritz', credentialId: 'c-77' }],
  ])('refuses the tokens of %s from the moment of the revocation, also remembered ones, until it is lifted', async (_what, key, principal) => {
    const token = await gateway.identity.mint(principal);
    await routing.identity.verify(token);
    const bucket = await mesh.admin.kv(BUCKETS.revocations);
    await bucket.put(key, { reason: 'test' });
    await waitFor(() =>
      routing.identity.verify(token).then(
        () => false,
        (error: { details?: { reason?: string } }) => error.details?.reason === 'it was revoked',
      ),
    );
    // Somebody else is not affected.
    await expect(routing.identity.verify(await gateway.identity.mint({ ...anna, user: 'gerda' }))).resolves.toBeDefined();
    await bucket.delete(key);
    await waitFor(() =>
      routing.identity.verify(token).then(
        () => true,
        () => false,
      ),
    );
  });

  describe('with tokens that a tenant signed', () => {
    let signer: Awaited<ReturnType<typeof generateKeyPair>>;
    let jwk: object;
    const sign = (payload: JWTPayload, { kid = 'crm-1', lifetime = 3_600 } = {}) =>
      new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid }).setIssuedAt(at()).setExpirationTime(at(lifetime)).sign(signer.privateKey);
    const declare = async (keys: object[]) => {
      await (await mesh.admin.kv(BUCKETS.config)).put('_', { tenants: { acme: { keys }, other: {} } });
      await waitFor(() => routing.tenants.platform().tenants.acme?.keys.length === keys.length);
    };
    beforeAll(async () => {
      signer = await generateKeyPair('ES256');
      jwk = { ...(await exportJWK(signer.publicKey)), kid: 'crm-1', alg: 'ES256' };
      await declare([jwk]);
    });

    it('accepts them for that tenant, with a user or, for an integrator, without', async () => {
      await expect(routing.identity.verify(await sign({ tenant: 'acme', sub: 'anna', scope: 'operator.read x', jti: 't-1' }))).resolves.toEqual({
        tenant: 'acme',
        user: 'anna',
        role: 'user',
        scopes: ['operator.read', 'x'],
        credentialId: 't-1',
      });
      await expect(routing.identity.verify(await sign({ tenant: 'acme', source: 'crm' }))).resolves.toEqual({
        tenant: 'acme',
        role: 'user',
        scopes: [],
        source: 'crm',
        credentialId: 'key-crm-1',
      });
    });

    it.each<[string, JWTPayload, object, string]>([
      ['another tenant', { tenant: 'other', sub: 'anna' }, {}, 'not one of the tenant'],
      ['a tenant that nobody declared', { tenant: '__proto__', sub: 'anna' }, {}, 'not declared'],
      ['the platform', { tenant: '_', role: 'service' }, {}, 'not declared'],
      ['a service of the mesh', { tenant: 'acme', sub: 'anna', role: 'service' }, {}, 'may not hand out'],
      ['a VM', { tenant: 'acme', sub: 'anna', role: 'vm' }, {}, 'may not hand out'],
      ['an unknown key', { tenant: 'acme', sub: 'anna' }, { kid: 'crm-2' }, 'not one of the tenant'],
      ['yesterday', { tenant: 'acme', sub: 'anna' }, { lifetime: -60 }, 'expired'],
    ])('refuses one for %s', async (_what, payload, options, reason) => {
      await expect(routing.identity.verify(await sign(payload, options))).rejects.toMatchObject(refusal(reason));
    });

    it('refuses one without an end', async () => {
      const token = await new SignJWT({ tenant: 'acme', sub: 'anna' }).setProtectedHeader({ alg: 'ES256', kid: 'crm-1' }).sign(signer.privateKey);
      await expect(routing.identity.verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    });

    it('refuses them as soon as the key is taken out of the configuration, also remembered ones', async () => {
      const token = await sign({ tenant: 'acme', sub: 'anna' });
      await routing.identity.verify(token);
      await declare([]);
      await expect(routing.identity.verify(token)).rejects.toMatchObject(refusal('not one of the tenant'));
    });
  });

  it('says that it cannot tell while the keys cannot be read, and does not remember that', async () => {
    const broken: Pick<Bucket, 'get'> = { get: () => Promise.reject(new Error('no connection')) };
    const keys = new KeyDirectory(broken, clock);
    await expect(keys.find('gateway', gateway.key.kid)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    broken.get = async (key) => (await mesh.admin.kv(BUCKETS.keys)).get(key);
    await expect(keys.find('gateway', gateway.key.kid)).resolves.toBeDefined();
  });
});
