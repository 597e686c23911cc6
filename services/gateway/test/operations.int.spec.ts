import type { Bus } from '@plexus/bus';
import { auditContracts, type Principal, routingContracts as contracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

/** What people who run a mesh, and pages that they look at, ask over HTTP. */
describe('the HTTP API for those who run a mesh', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let routing: Bus;
  const asked: { name: string; tenant: string; principal: Principal; data: unknown }[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    routing = await mesh.standIn('routing');
    const letter = {
      seq: 7,
      consumer: 'push-in',
      code: 'INVALID_EVENT',
      reason: 'no',
      attempts: 6,
      originSubject: 's',
      originStream: 'PLEXUS_IN',
      originSeq: 3,
      parkedAt: '',
      bytes: 2,
    };
    const note =
      (name: string) =>
      (data: unknown, { tenant, principal }: { tenant: string; principal: Principal }) =>
        void asked.push({ name, tenant, principal, data });
    routing.serve(contracts.listDeadLetters, async (data, context) => {
      note('list')(data, context);
      return { letters: [letter], next: 7 };
    });
    routing.serve(contracts.getDeadLetter, async (data, context) => {
      note('get')(data, context);
      return { letter, text: '{}', truncated: false };
    });
    routing.serve(contracts.redriveDeadLetters, async (data, context) => {
      note('redrive')(data, context);
      return { outcomes: data.seqs.map((seq) => ({ seq, ok: true, stream: 'PLEXUS_IN', streamSeq: 9 })) };
    });
    routing.serve(contracts.dropDeadLetters, async (data, context) => {
      note('drop')(data, context);
      return { outcomes: data.seqs.map((seq) => ({ seq, ok: true })) };
    });
    routing.serve(contracts.listAgents, async () => ({ agents: [{ id: 'main' }], defaultAgentId: 'main' }));
    routing.serve(contracts.explainRoute, async ({ channel }) => {
      const keys = { sessionKey: 'agent:main:main', mainSessionKey: 'agent:main:main' };
      const route = { agentId: 'main', channel, accountId: 'default', matchedBy: 'default', ...keys };
      return { route, tiers: [{ tier: 'default', matched: true, reason: 'The default agent.' }] };
    });
    gateway = await mesh.gateway();
  });
  afterAll(() => mesh?.stop());

  async function call(method: string, path: string, body?: unknown, token: string = mesh.token) {
    const response = await fetch(`${gateway.http}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
    return { status: response.status, headers: response.headers, body: (await response.json()) as any };
  }
  const admin = () => mesh.jwt({ sub: 'ann', scopes: ['operator.admin'] });

  it('tells whoever has a token who that is', async () => {
    expect((await call('GET', '/v1/whoami')).body).toMatchObject({
      ...{ tenant: 'default', user: 'me', role: 'operator', scopes: ['operator.admin'], deployment: true },
      credential: { id: 'gateway-token', kind: 'shared' },
      defaults: { agentId: 'main', sessionKey: 'agent:main:main' },
      server: { version: '0.1.0', id: expect.stringMatching(/^gateway-/), uptimeMs: expect.any(Number) },
    });
    const { body } = await call('GET', '/v1/whoami', undefined, await mesh.jwt({ sub: 'ann', tenant: 'other', scopes: [], source: 'crm' }));
    expect(body).toMatchObject({
      tenant: 'other',
      user: 'ann',
      role: 'user',
      scopes: [],
      deployment: false,
      credential: { kind: 'signed', source: 'crm', expiresAt: expect.any(String) },
    });
  });

  it('maps the mesh under the permissions of production: replicas, streams, lag of consumers, buckets', async () => {
    await mesh.operator.publishRaw('plexus.in.default.crm.seen.v1.a', Buffer.from('{}'));
    const view = await waitFor(
      async () => {
        const { body } = await call('GET', '/v1/mesh');
        const found = (name: string) => body.services.find((one: { name: string }) => one.name === name)?.ready === true;
        return found('routing') && found('gateway') ? body : undefined;
      },
      { what: 'both services in the map' },
    );
    expect(view.problems).toEqual([]);
    expect(view.missing.sort()).toEqual(['memory', 'push', 'scheduler']);
    const [routingView] = view.services.filter(({ name }: { name: string }) => name === 'routing');
    expect(routingView.replicas).toMatchObject([{ answers: true, ready: true, vitals: { rssBytes: expect.any(Number) }, uptimeMs: expect.any(Number) }]);
    expect(routingView.endpoints.map(({ name }: { name: string }) => name)).toContain('routing_list-dead-letters_v1');
    const [gatewayView] = view.services.filter(({ name }: { name: string }) => name === 'gateway');
    expect(gatewayView.replicas[0].vitals).toMatchObject({ clients: 0, vms: 0, streams: 0 });
    expect(view.streams.find(({ name }: { name: string }) => name === 'PLEXUS_IN').messages).toBeGreaterThan(0);
    expect(view.consumers.find(({ name }: { name: string }) => name === 'push-in')).toMatchObject({
      stream: 'PLEXUS_IN',
      service: 'push',
      pending: expect.any(Number),
    });
    expect(view.buckets.map(({ name }: { name: string }) => name)).toContain('PLEXUS_CONFIG');
    expect((await call('GET', '/v1/mesh')).headers.get('cache-control')).toBe('private, max-age=2');
  });

  it('shows the map to nobody of one tenant among several, nor to anybody without operator.admin', async () => {
    expect((await call('GET', '/v1/mesh', undefined, await admin())).body).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect((await call('GET', '/v1/mesh', undefined, await mesh.jwt({ sub: 'ann' }))).body).toMatchObject({ status: 403, code: 'MISSING_SCOPE' });
  });

  it('passes dead letters on to their keeper in the name of the administrator, and refuses others itself', async () => {
    const token = await mesh.jwt({ sub: 'ann', tenant: 'other', scopes: ['operator.admin'] });
    expect(await call('GET', '/v1/dlq?consumer=push-in&after=3&limit=50', undefined, token)).toMatchObject({
      status: 200,
      body: { letters: [{ seq: 7 }], next: 7 },
    });
    expect(await call('GET', '/v1/dlq/7', undefined, token)).toMatchObject({ status: 200, body: { letter: { seq: 7 }, text: '{}' } });
    expect(await call('POST', '/v1/dlq/redrive', { seqs: [7, 8] }, token)).toMatchObject({
      status: 200,
      body: { outcomes: [{ seq: 7, ok: true }, { seq: 8 }] },
    });
    expect(await call('POST', '/v1/dlq/drop', { seqs: [7] }, token)).toMatchObject({ status: 200, body: { outcomes: [{ seq: 7, ok: true }] } });
    expect(asked.map(({ name, tenant, principal, data }) => [name, tenant, principal.user, data])).toEqual([
      ['list', 'other', 'ann', { consumer: 'push-in', after: 3, limit: 50 }],
      ['get', 'other', 'ann', { seq: 7 }],
      ['redrive', 'other', 'ann', { seqs: [7, 8] }],
      ['drop', 'other', 'ann', { seqs: [7] }],
    ]);
    const writer = await mesh.jwt({ sub: 'ann' });
    for (const [method, path] of [
      ['GET', '/v1/dlq'],
      ['GET', '/v1/dlq/7'],
      ['POST', '/v1/dlq/redrive'],
      ['POST', '/v1/dlq/drop'],
    ]) {
      const body = method === 'POST' ? { seqs: [7] } : undefined;
      expect((await call(method as string, path as string, body, writer)).body).toMatchObject({ status: 403, code: 'MISSING_SCOPE' });
    }
    expect((await call('POST', '/v1/dlq/redrive', { seqs: [] })).body).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
  });

  it('explains where a message would go, and which agents there are', async () => {
    expect(await call('POST', '/v1/routes/explain', { channel: 'telegram', peer: { kind: 'dm', id: '42' } })).toMatchObject({
      status: 200,
      body: { route: { agentId: 'main' }, tiers: [{ tier: 'default', matched: true }] },
    });
    expect(await call('GET', '/v1/agents')).toMatchObject({ status: 200, body: { defaultAgentId: 'main' } });
  });

  it('hands out every contract with its schema, for forms', async () => {
    const { body } = await call('GET', '/v1/contracts?kind=in');
    expect(body.event.schema).toMatchObject({
      type: 'object',
      required: expect.arrayContaining(['id', 'source', 'type']),
      properties: { data: expect.any(Object) },
    });
    expect(body.contracts.length).toBeGreaterThan(3);
    for (const contract of body.contracts)
      expect(contract).toMatchObject({ kind: 'in', schema: { type: 'object' }, subject: expect.stringMatching(/^plexus\.in\.default\./) });
    expect((await call('GET', '/v1/contracts/routing.explain')).body).toMatchObject({ name: 'rpc routing.explain.v1', response: { type: 'object' } });
    expect((await call('GET', '/v1/contracts/no.such')).status).toBe(404);
    const posted = await call('POST', '/v1/events', body.event.examples[0]);
    expect(posted).toMatchObject({ status: 202, body: { duplicate: false } });
  });

  describe('events', () => {
    const event = (id: string) => ({ specversion: '1.0', id, source: '/crm', type: 'contact-updated' });
    const lastAct = async () => {
      const subject = auditContracts.auditRecorded.subject('default', 'events-publish-as');
      return (await mesh.operator.lastOnSubject('PLEXUS_EVT_AUDIT', subject))?.json<{ data: unknown }>().data;
    };

    it('enter under the source that the credential proves', async () => {
      const token = await mesh.jwt({ sub: 'ann', source: 'crm' });
      expect(await call('POST', '/v1/events', event('c-1'), token)).toMatchObject({
        status: 202,
        body: { subject: 'plexus.in.default.crm.contact-updated.v1.c-1' },
      });
      expect(await call('POST', '/v1/events?as=http', event('c-1'), token)).toMatchObject({
        status: 202,
        body: { subject: 'plexus.in.default.http.contact-updated.v1.c-1', duplicate: false },
      });
    });

    it('enter under another one for administrators only, and under those of channels for nobody', async () => {
      expect(await call('POST', '/v1/events?as=erp', event('c-2'))).toMatchObject({
        status: 202,
        body: { subject: 'plexus.in.default.erp.contact-updated.v1.c-2' },
      });
      expect(await lastAct()).toMatchObject({ actor: { user: 'me' }, target: { as: 'erp', type: 'contact-updated', id: 'c-2' }, outcome: 'done' });
      expect((await call('POST', '/v1/events?as=erp', event('c-3'), await mesh.jwt({ sub: 'ann', source: 'crm' }))).body).toMatchObject({
        code: 'MISSING_SCOPE',
      });
      expect(await lastAct()).toMatchObject({ actor: { user: 'ann' }, target: { as: 'erp' }, outcome: 'refused', code: 'MISSING_SCOPE' });
      for (const source of ['telegram', 'push', 'a.b', 'CRM'])
        expect((await call('POST', `/v1/events?as=${source}`, event('c-4'))).body).toMatchObject({ code: 'INVALID_REQUEST' });
      const adapter = await mesh.jwt({ sub: 'ann', source: 'telegram' });
      expect((await call('POST', '/v1/events', event('c-5'), adapter)).body.subject).toBe('plexus.in.default.http.contact-updated.v1.c-5');
    });
  });
});
