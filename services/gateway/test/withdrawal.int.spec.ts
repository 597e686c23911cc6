import { createHash } from 'node:crypto';
import { BUCKETS } from '@plexus/contracts';
import { credentialRevocationKey, userRevocationKey } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import { laterBy } from './support/later-by.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

/** An open event stream; `ended` once the gateway has ended it. */
interface OpenStream {
  ended: boolean;
}

describe('a credential that holds no longer', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let routing: RoutingStandIn;
  const clients: RawClient[] = [];
  const fetches: AbortController[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    routing = new RoutingStandIn(await mesh.standIn('routing'));
    gateway = await mesh.gateway({ GATEWAY_TICK_MS: '100', GATEWAY_EXPIRY_GRACE_MS: '500' });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    for (const one of fetches.splice(0)) one.abort();
  });
  afterAll(() => mesh?.stop());

  function request(token: string): Promise<Response> {
    const abort = new AbortController();
    fetches.push(abort);
    return fetch(`${gateway.http}/v1/sessions/main/stream`, { headers: { authorization: `Bearer ${token}` }, signal: abort.signal });
  }
  async function follow(token: string): Promise<OpenStream> {
    const response = await request(token);
    expect(response.status).toBe(200);
    const stream = { ended: false };
    const end = () => {
      stream.ended = true;
    };
    response.text().then(end, end);
    return stream;
  }
  const ended = (stream: OpenStream) => waitFor(() => stream.ended, { what: 'the end of the stream', timeoutMs: 60_000 });

  it('ends the event streams of a revoked user and of a revoked credential at once, and lets neither back in', async () => {
    const bucket = await mesh.operator.kv(BUCKETS.revocations);
    const tokens = await Promise.all([mesh.jwt({ sub: 'gone' }), mesh.jwt({ sub: 'stays', jti: 'stolen' }), mesh.jwt({ sub: 'stays', jti: 'fine' })]);
    const [gone, stolen, fine] = await Promise.all(tokens.map(follow));
    await bucket.put(userRevocationKey('default', 'gone'), 'left the company');
    await ended(gone as OpenStream);
    await bucket.put(credentialRevocationKey('stolen'), 'lost laptop');
    await ended(stolen as OpenStream);
    expect(fine?.ended).toBe(false);
    expect((await request(tokens[0] as string)).status).toBe(401);
  });

  it('opens no event stream when it was revoked while the stream was prepared', async () => {
    const bucket = await mesh.operator.kv(BUCKETS.revocations);
    const token = await mesh.jwt({ sub: 'hasty' });
    const witness = await follow(await mesh.jwt({ sub: 'hasty' }));
    let open = () => {};
    routing.describeGate = new Promise((resolve) => {
      open = resolve;
    });
    const before = routing.described;
    const answer = request(token);
    await waitFor(() => routing.described > before, { what: 'the question to routing' });
    routing.describeGate = undefined;
    await bucket.put(userRevocationKey('default', 'hasty'), 'left the company');
    await ended(witness);
    open();
    expect((await answer).status).toBe(401);
  });

  it('ends an event stream some time after its token has expired', async () => {
    const [short, long] = await Promise.all([follow(await mesh.jwt({ sub: 'ann' }, 600)), follow(await mesh.jwt({ sub: 'ann' }, 1_200))]);
    await laterBy(601_000, () => ended(short));
    expect(long.ended).toBe(false);
  });

  describe('in the platform configuration', () => {
    const TOKEN = 'a-token-that-the-configuration-declares';
    const reference = (sha256 = createHash('sha256').update(TOKEN).digest('hex')) => ({ id: 'ci', sha256, user: 'ci', scopes: ['operator.read'] });
    type Declaration = { keys: unknown[]; tokens?: unknown[] };

    async function declare(tenants: Record<string, Declaration>): Promise<void> {
      await (await mesh.operator.kv(BUCKETS.config)).put('_', { tenants });
    }
    /** A socket and an event stream with this token. */
    async function opened(token: string) {
      await waitFor(async () => (await request(token)).status === 200, { what: 'a token that is known' });
      const client = await RawClient.connect(gateway.ws, token);
      clients.push(client);
      return { client, stream: await follow(token) };
    }
    const everything = (): Record<string, Declaration> => ({
      default: { keys: [mesh.state.publicKey], tokens: [reference()] },
      other: { keys: [mesh.state.publicKey] },
    });
    const foreigner = () => mesh.jwt({ sub: 'ann', tenant: 'other' });

    it.each<[string, (before: Record<string, Declaration>) => Record<string, Declaration>, () => Promise<string>]>([
      ['a token was removed', (before) => ({ ...before, default: { keys: [mesh.state.publicKey] } }), async () => TOKEN],
      [
        'a token was exchanged under its id',
        (before) => ({ ...before, default: { keys: [mesh.state.publicKey], tokens: [reference('0'.repeat(64))] } }),
        async () => TOKEN,
      ],
      ['the key that signed it was removed', (before) => ({ ...before, other: { keys: [] } }), foreigner],
      ['the key that signed it has another kid', (before) => ({ ...before, other: { keys: [{ ...mesh.state.publicKey, kid: 'next' }] } }), foreigner],
      ['its tenant was removed', ({ other: _gone, ...rest }) => rest, foreigner],
    ])('closes sockets and event streams at once when %s, and nobody else’s', async (_title, change, token) => {
      await declare(everything());
      const [gone, stays] = [await opened(await token()), await opened(await mesh.jwt({ sub: 'ann' }))];
      await declare(change(everything()));
      expect(await gone.client.end()).toEqual({ code: 4403, reason: 'revoked' });
      await ended(gone.stream);
      expect((await stays.client.request('health')).ok).toBe(true);
      expect(stays.stream.ended).toBe(false);
    });

    it('closes nobody when a key or a token comes along', async () => {
      await declare(everything());
      const [declared, signed] = [await opened(TOKEN), await opened(await foreigner())];
      const keys = [mesh.state.publicKey, { ...mesh.state.publicKey, kid: 'next' }];
      const tokens = [reference(), { ...reference('1'.repeat(64)), id: 'new' }];
      await declare({ default: { keys, tokens }, other: { keys }, third: { keys } });
      const newcomer = await mesh.jwt({ sub: 'ann', tenant: 'third' });
      await waitFor(async () => (await request(newcomer)).status === 200, { what: 'the new configuration' });
      for (const { client, stream } of [declared, signed]) {
        expect((await client.request('health')).ok).toBe(true);
        expect(stream.ended).toBe(false);
      }
    });
  });
});
