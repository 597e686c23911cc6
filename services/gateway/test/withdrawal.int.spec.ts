import { BUCKETS } from '@plexus/contracts';
import { credentialRevocationKey, userRevocationKey } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
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
  const ended = (stream: OpenStream) => waitFor(() => stream.ended, { what: 'the end of the stream', timeoutMs: 5_000 });

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
    const [short, long] = await Promise.all([follow(await mesh.jwt({ sub: 'ann' }, 2)), follow(await mesh.jwt({ sub: 'ann' }))]);
    await ended(short);
    expect(long.ended).toBe(false);
  });
});
