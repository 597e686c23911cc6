import { type InputOf, memoryContracts as memory, plexusError, type Principal, pushTriggersContracts as triggers, vmContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import fc from 'fast-check';
import { EventReader } from './support/event-reader.js';
import { PushStandIn } from './support/push-stand-in.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

describe('the HTTP API', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let routing: RoutingStandIn;
  let push: PushStandIn;
  const written: { principal: Principal; data: InputOf<typeof memory.writeMemory> }[] = [];
  const searched: unknown[] = [];
  const streams: EventReader[] = [];
  let number = 0;

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus, memoryBus, schedulerBus] = await Promise.all([
      mesh.standIn('routing'),
      mesh.standIn('push'),
      mesh.standIn('memory'),
      mesh.standIn('scheduler'),
    ]);
    routing = new RoutingStandIn(routingBus);
    push = new PushStandIn(pushBus);
    for (const rpc of [triggers.dispatchResearch, triggers.dispatchAndNotify]) pushBus.serve(rpc, async (data) => ({ runId: `dsp_${data.idempotencyKey}` }));
    pushBus.serve(triggers.notifyUser, async ({ user = 'me', summary }) => ({ eventId: summary, user }));
    pushBus.serve(triggers.dispatchStatus, async () => {
      throw plexusError('RUN_NOT_FOUND');
    });
    pushBus.serve(triggers.updateDispatchRule, async ({ id, enabled = true, baseVersion = 0 }) => {
      const rule = { owner: 'root', name: 'r', match: { types: [], minSeverity: 'low' as const, matchers: [] }, research: { message: 'x', timeoutMs: 1_000 } };
      const rest = { notify: { to: 'owner' as const, onFailure: true }, maxPerHour: 1, refused: 0, createdAt: '2026-11-21T10:00:00Z' };
      return { rule: { ...rule, ...rest, id, enabled, version: baseVersion + 1 } };
    });
    pushBus.serve(triggers.listSchedules, async () => ({ schedules: [] }));
    pushBus.serve(triggers.removeSchedule, async () => ({ removed: true }));
    pushBus.serve(triggers.listDispatchRules, async () => ({ rules: [] }));
    memoryBus.serve(memory.writeMemory, async (data, { principal }) => {
      written.push({ principal, data });
      return { id: 'mem_1', result: 'created' as const, embedding: 'none' as const };
    });
    memoryBus.serve(memory.searchMemory, async (data) => {
      searched.push(data);
      return { hits: [], mode: 'text' as const, semantic: false, tookMs: 1 };
    });
    memoryBus.serve(memory.getMemory, async () => {
      throw plexusError('NOT_FOUND');
    });
    memoryBus.serve(memory.deleteMemory, async () => ({ deleted: true }));
    const vmAnswer = async ({ vmId }: { vmId: string }) => {
      const at = new Date(0).toISOString();
      return {
        vm: { vmId, owner: 'me', scopeKey: 'user', state: 'ready' as const, desiredState: 'running' as const, epoch: 1, stateSince: at, createdAt: at },
      };
    };
    const { getVm, pauseVm, resumeVm, touchVm, drainVm, terminateVm, vmLogs, whyVm, vmHistory } = vmContracts;
    for (const rpc of [getVm, pauseVm, resumeVm, touchVm, terminateVm]) schedulerBus.serve(rpc, vmAnswer);
    schedulerBus.serve(drainVm, vmAnswer);
    schedulerBus.serve(vmLogs, async ({ tailBytes }) => ({ text: `last ${tailBytes}` }));
    schedulerBus.serve(whyVm, async (data) => ({ ...(await vmAnswer(data)), because: ['It is ready.'], activity: [] }));
    schedulerBus.serve(vmHistory, async () => ({ transitions: [] }));
    schedulerBus.serve(vmContracts.ensureVm, async () => ({ vmId: 'vm-1', epoch: 1, state: 'ready' as const, created: true, resumed: false }));
    schedulerBus.serve(vmContracts.listVms, async () => ({ vms: [] }));
    gateway = await mesh.gateway({ GATEWAY_BODY_LIMIT_BYTES: '300000' });
  });
  afterEach(() => {
    for (const stream of streams.splice(0)) stream.close();
  });
  afterAll(() => mesh?.stop());

  async function call(method: string, path: string, body?: unknown, o: { token?: string | null; headers?: Record<string, string> } = {}) {
    const token = o.token === undefined ? mesh.token : o.token;
    const response = await fetch(`${gateway.http}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...o.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get('content-type') ?? '',
      headers: response.headers,
      // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
      body: (text === '' ? undefined : JSON.parse(text)) as any,
    };
  }

  function follow(sessionKey: string, o: { lastEventId?: number; inQuery?: boolean; token?: string } = {}): EventReader {
    const query = o.inQuery === true ? `?last_event_id=${o.lastEventId}` : '';
    const headers = {
      authorization: `Bearer ${o.token ?? mesh.token}`,
      ...(o.lastEventId !== undefined && o.inQuery !== true && { 'last-event-id': String(o.lastEventId) }),
    };
    const stream = new EventReader(`${gateway.http}/v1/sessions/${encodeURIComponent(sessionKey)}/stream${query}`, headers);
    streams.push(stream);
    return stream;
  }

  it.each<[string, string, unknown, number, Record<string, unknown>]>([
    [
      'POST',
      '/v1/chat/send',
      { sessionKey: 'main', message: 'Hello', idempotencyKey: 'h-1' },
      202,
      { runId: 'h-1', sessionKey: 'agent:main:main', status: 'accepted' },
    ],
    ['GET', '/v1/sessions?limit=5', undefined, 200, { hasMore: false }],
    ['GET', '/v1/sessions/agent%3Amain%3Amain/history?limit=1', undefined, 200, { sessionKey: 'agent:main:main', messages: [{ role: 'user', text: 'Hello' }] }],
    ['POST', '/v1/sessions/main/inject', { message: 'note', label: 'ci' }, 200, { sessionKey: 'agent:main:main', messageId: expect.any(String) }],
    ['POST', '/v1/sessions/main/abort', { runId: 'h-1' }, 200, { aborted: true, runIds: ['h-1'] }],
    ['POST', '/v1/sessions/main/abort', undefined, 200, { aborted: true }],
    ['POST', '/v1/sessions/main/reset', undefined, 200, { session: { sessionKey: 'agent:main:main' } }],
    ['GET', '/v1/inbox?after=0&limit=10', undefined, 200, { epoch: 'epoch-1' }],
    ['POST', '/v1/inbox/marks', { ids: ['a'], state: 'read' }, 200, { changed: 0 }],
    ['GET', '/v1/subscriptions', undefined, 200, { subscriptions: [] }],
    ['POST', '/v1/tools/dispatch-research', { query: 'Who owns Aurora?', idempotencyKey: 'k1' }, 202, { runId: 'dsp_k1' }],
    ['POST', '/v1/tools/dispatch-and-notify', { query: 'x', summary: 'y', idempotencyKey: 'k2' }, 202, { runId: 'dsp_k2' }],
    ['POST', '/v1/tools/notify-user', { summary: 'Done' }, 202, { eventId: 'Done', user: 'me' }],
    ['POST', '/v1/tools/notify-user', { summary: '' }, 400, { code: 'INVALID_REQUEST' }],
    ['GET', '/v1/tools/runs/dsp_x', undefined, 404, { code: 'RUN_NOT_FOUND' }],
    ['GET', '/v1/schedules?all=true&limit=5', undefined, 200, { schedules: [] }],
    ['DELETE', '/v1/schedules/sch_1', undefined, 200, { removed: true }],
    ['GET', '/v1/dispatch-rules', undefined, 200, { rules: [] }],
    ['PATCH', '/v1/dispatch-rules/rul_1', { enabled: false, baseVersion: 3 }, 200, { rule: { id: 'rul_1', enabled: false, version: 4 } }],
    ['PATCH', '/v1/dispatch-rules/rul_1', { enabled: 'no' }, 400, { code: 'INVALID_REQUEST' }],
    ['POST', '/v1/subscriptions', { scopeKind: 'case', scopeRef: 'case-7' }, 200, { created: true }],
    ['DELETE', '/v1/subscriptions/sub_1', undefined, 200, { removed: true }],
    ['GET', '/v1/subscriptions/sub_1', undefined, 200, { subscription: { id: 'sub_1' } }],
    ['GET', '/v1/subscriptions?scopeKind=case&limit=5', undefined, 200, { subscriptions: [] }],
    ['PATCH', '/v1/subscriptions/sub_1', { level: 'muted', interestText: null }, 200, { subscription: { level: 'muted' } }],
    ['POST', '/v1/subscriptions/import', { rows: [{ user: 'u', scopeKind: 'all' }] }, 200, { applied: true, rows: 1, created: 1 }],
    [
      'POST',
      '/v1/subscriptions/import?check=true',
      { rows: [{ user: 'u', scopeKind: 'none' }] },
      200,
      { applied: false, refused: 1, refusedRows: [{ line: 1 }] },
    ],
    ['GET', '/v1/preferences', undefined, 200, { own: { version: 0 } }],
    [
      'PUT',
      '/v1/preferences',
      { preferences: [{ match: {}, value: 'off' }] },
      200,
      { preferences: { version: 2, preferences: [{ value: 'off', channel: '*' }] } },
    ],
    ['PATCH', '/v1/preferences', { put: [{ match: {}, value: 'on', channel: 'email' }] }, 200, { preferences: { version: 1 } }],
    ['GET', '/v1/quiet-hours', undefined, 200, { own: null, tenant: null }],
    ['PUT', '/v1/quiet-hours', { tz: 'UTC', start: '22:00', end: '07:00' }, 200, { preferences: { quietHours: { tz: 'UTC', bypassPriority: 'P0' } } }],
    ['DELETE', '/v1/quiet-hours', undefined, 200, { preferences: { preferences: [] } }],
    ['GET', '/v1/silences?for=tenant&expired=true', undefined, 200, { silences: [] }],
    ['POST', '/v1/silences', { matchers: [{ label: 'case', op: '=', value: 'c' }], seconds: 60, reason: 'r' }, 200, { silence: { reason: 'r' } }],
    ['PATCH', '/v1/silences/sil_1', { seconds: 60, reason: 'longer' }, 200, { silence: { id: 'sil_1', reason: 'longer', version: 2 } }],
    ['PATCH', '/v1/silences/sil_1', { reason: '' }, 400, { code: 'INVALID_REQUEST' }],
    ['POST', '/v1/silences/sil_1/expire', undefined, 200, { silence: { id: 'sil_1', state: 'expired' } }],
    ['DELETE', '/v1/silences/sil_1', undefined, 200, { removed: true }],
    ['GET', '/v1/grants?scopeKind=case', undefined, 200, { grants: [] }],
    ['POST', '/v1/grants', { user: 'u', scopeKind: 'case', scopeRef: 'c' }, 200, { grant: { user: 'u', granted: true } }],
    ['DELETE', '/v1/grants?user=u&scopeKind=case&scopeRef=c', undefined, 200, { grant: { granted: false } }],
    ['PUT', '/v1/grants/restriction', { scopeKind: 'case', scopeRef: 'c', restricted: false }, 200, { restricted: false }],
    ['GET', '/v1/contacts?channel=email', undefined, 200, { contacts: [{ id: 'cnt_1' }] }],
    ['POST', '/v1/contacts', { channel: 'email', address: 'me@example.org' }, 200, { codeSent: true }],
    ['POST', '/v1/contacts/cnt_1/code', undefined, 200, { codeSent: true }],
    ['POST', '/v1/contacts/cnt_1/verify', { code: ' 123 ' }, 200, { contact: { label: '123', verified: true } }],
    ['DELETE', '/v1/contacts/cnt_1', undefined, 200, { removed: true }],
    ['POST', '/v1/memory', { content: 'x' }, 201, { id: 'mem_1' }],
    ['GET', '/v1/memory/search?q=x', undefined, 200, { hits: [] }],
    ['DELETE', '/v1/memory/mem_1', undefined, 200, { deleted: true }],
    ['POST', '/v1/vms/ensure', { scope: 'user', wait: 'ready' }, 200, { vmId: 'vm-1' }],
    ['POST', '/v1/vms/ensure', undefined, 200, { vmId: 'vm-1' }],
    ['GET', '/v1/vms?includeTerminated=true', undefined, 200, { vms: [] }],
    ['GET', '/v1/vms/vm-1', undefined, 200, { vm: { vmId: 'vm-1' } }],
    ['POST', '/v1/vms/vm-1/pause', undefined, 202, { vm: { vmId: 'vm-1' } }],
    ['POST', '/v1/vms/vm-1/resume', undefined, 202, { vm: { vmId: 'vm-1' } }],
    ['POST', '/v1/vms/vm-1/touch', undefined, 200, { vm: { vmId: 'vm-1' } }],
    ['POST', '/v1/vms/vm-1/drain', { cancel: true }, 202, { vm: { vmId: 'vm-1' } }],
    ['DELETE', '/v1/vms/vm-1', undefined, 202, { vm: { vmId: 'vm-1' } }],
    ['GET', '/v1/vms/vm-1/logs?tailBytes=9', undefined, 200, { text: 'last 9' }],
    ['GET', '/v1/vms/vm-1/why', undefined, 200, { because: ['It is ready.'] }],
    ['GET', '/v1/vms/vm-1/history?limit=5', undefined, 200, { transitions: [] }],
  ])('%s %s %j', async (method, path, body, status, expected) => {
    routing.ensure({ tenant: 'default', user: 'me' }, 'agent:main:main');
    const answer = await call(method, path, body);
    expect([answer.status, answer.body]).toMatchObject([status, expected]);
  });

  it('answers /healthz, /livez and /readyz without a token, and nothing secret', async () => {
    expect(await call('GET', '/healthz', undefined, { token: null })).toMatchObject({ status: 200, body: { ok: true, status: 'live' } });
    expect(await call('GET', '/livez', undefined, { token: null })).toMatchObject({ status: 200 });
    expect((await call('GET', '/readyz', undefined, { token: null })).body).toEqual({ ready: true, failing: [], uptimeMs: expect.any(Number) });
  });

  it('takes the idempotency key from the header, and refuses two that differ', async () => {
    await call('POST', '/v1/memory', { content: 'x' }, { headers: { 'idempotency-key': 'key-7' } });
    expect(written.at(-1)?.data).toMatchObject({ idempotencyKey: 'key-7' });
    expect((await call('POST', '/v1/chat/send', { message: 'x' }, { headers: { 'idempotency-key': 'key-8' } })).body).toMatchObject({ runId: 'key-8' });
    const both = await call('POST', '/v1/chat/send', { message: 'x', idempotencyKey: 'a' }, { headers: { 'idempotency-key': 'b' } });
    expect([both.status, both.body.code]).toEqual([400, 'INVALID_REQUEST']);
  });

  it('passes on who the caller is, and only that', async () => {
    await call('POST', '/v1/memory', { content: 'x', user: 'bob', tenant: 'other' }, { token: await mesh.jwt({ sub: 'ann', scopes: ['operator.write'] }) });
    expect(written.at(-1)?.principal).toMatchObject({ tenant: 'default', user: 'ann', role: 'user', scopes: ['operator.write'] });
  });

  it('reads scopes and numbers of a search from the query', async () => {
    await call('GET', '/v1/memory/search?q=tea&k=3&scope=session:agent:main:main&scope=user:me&minScore=0.5');
    expect(searched.at(-1)).toMatchObject({
      query: 'tea',
      k: 3,
      minScore: 0.5,
      scopes: [
        { kind: 'session', id: 'agent:main:main' },
        { kind: 'user', id: 'me' },
      ],
    });
  });

  it('takes subscriptions of many users line by line, page by page, and names the line of what it refuses', async () => {
    const headers = { 'content-type': 'application/x-ndjson' };
    const row = (n: number) => JSON.stringify({ user: `u${n}`, scopeKind: 'all' });
    const rows = Array.from({ length: 501 }, (_, n) => row(n));
    const all = await call('POST', '/v1/subscriptions/import', rows.join('\n'), { headers });
    expect(all.body).toMatchObject({ applied: true, rows: 501, created: 501, pages: { applied: 2, refused: 0 } });
    const broken = await call('POST', '/v1/subscriptions/import', [...rows.slice(0, 500), '', '{"user":', row(7)].join('\n'), { headers });
    expect(broken.body).toMatchObject({ applied: false, pages: { applied: 1, refused: 1 }, created: 500, refused: 1, refusedRows: [{ line: 502 }] });
    const writer = await mesh.jwt({ sub: 'me', scopes: ['operator.write'] });
    await expect(call('POST', '/v1/subscriptions/import', row(1), { headers, token: writer })).resolves.toMatchObject({ status: 403 });
  });

  describe('errors', () => {
    it.each<[string, string, string, unknown, number, string]>([
      ['illegal JSON', 'POST', '/v1/memory', '{', 400, 'INVALID_JSON'],
      ['a forbidden key', 'POST', '/v1/memory', '{"content":"x","__proto__":{}}', 400, 'INVALID_JSON'],
      ['JSON that is too deep', 'POST', '/v1/memory', `${'['.repeat(100)}${']'.repeat(100)}`, 400, 'INVALID_JSON'],
      ['a body that is no object', 'POST', '/v1/memory', '[]', 400, 'INVALID_REQUEST'],
      ['a wrong shape', 'POST', '/v1/memory', { content: 7 }, 400, 'INVALID_REQUEST'],
      ['no body where one is needed', 'POST', '/v1/memory', undefined, 400, 'INVALID_REQUEST'],
      ['a wrong query', 'GET', '/v1/inbox?limit=many', undefined, 400, 'INVALID_REQUEST'],
      ['a body that is too large', 'POST', '/v1/memory', { content: 'x'.repeat(400_000) }, 413, 'PAYLOAD_TOO_LARGE'],
      ['an unknown route', 'GET', '/v1/nothing', undefined, 404, 'NOT_FOUND'],
      ['a method that the route does not have', 'PUT', '/v1/memory', { content: 'x' }, 404, 'NOT_FOUND'],
      ['what its owner does not find', 'GET', '/v1/memory/mem_9', undefined, 404, 'NOT_FOUND'],
      ['an unknown session', 'POST', '/v1/sessions/nowhere/inject', { message: 'x' }, 404, 'SESSION_NOT_FOUND'],
      ['an event without id', 'POST', '/v1/events', { specversion: '1.0', source: '/x', type: 't' }, 400, 'INVALID_EVENT'],
      ['a path that cannot be decoded', 'GET', '/v1/sessions/%E0%A4%A/history', undefined, 400, 'INVALID_REQUEST'],
    ])('%s', async (_title, method, path, body, status, code) => {
      const answer = await call(method, path, body);
      expect([answer.status, answer.body]).toMatchObject([
        status,
        { status, code, type: expect.stringMatching(/^urn:plexus:error:/), title: expect.any(String), detail: expect.any(String), retryable: false },
      ]);
      expect(answer.type).toContain('application/problem+json');
    });

    it('name every issue with its path', async () => {
      const { body } = await call('POST', '/v1/subscriptions', { scopeKind: 'nope', level: 7 });
      expect(body.issues.map(({ path }: { path: string }) => path)).toEqual(['/scopeKind', '/level']);
    });

    it('refuse a body of another type', async () => {
      const answer = await call('POST', '/v1/memory', 'content=x', { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
      expect([answer.status, answer.body.code, answer.body.detail]).toEqual([400, 'INVALID_REQUEST', 'send the body as application/json']);
    });

    it.each<[string, () => Promise<string | null>, number, string]>([
      ['no token', async () => null, 401, 'UNAUTHENTICATED'],
      ['a wrong token', async () => 'wrong', 401, 'UNAUTHENTICATED'],
      ['an expired token', () => mesh.jwt({ sub: 'ann' }, -60), 401, 'UNAUTHENTICATED'],
      ['a token of an unknown tenant', () => mesh.jwt({ sub: 'ann', tenant: 'nowhere' }), 404, 'UNKNOWN_TENANT'],
    ])('%s', async (_title, token, status, code) => {
      const answer = await call('GET', '/v1/inbox', undefined, { token: await token() });
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      if (status === 401) expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    });

    it('a scope that is missing is named', async () => {
      const token = await mesh.jwt({ sub: 'ann', scopes: ['operator.read'] });
      for (const [method, path] of [
        ['POST', '/v1/memory'],
        ['POST', '/v1/chat/send'],
        ['POST', '/v1/events'],
        ['POST', '/v1/sessions/main/reset'],
        ['POST', '/v1/vms/ensure'],
      ]) {
        const answer = await call(method as string, path as string, {}, { token });
        expect([answer.status, answer.body.code]).toEqual([403, 'MISSING_SCOPE']);
      }
    });

    it('property: no request ends the process', async () => {
      const paths = ['/v1/memory', '/v1/chat/send', '/v1/events', '/v1/subscriptions', '/v1/inbox/marks', '/v1/vms/ensure', '/v1/sessions/x/inject'];
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...paths),
          fc.oneof(
            fc.string(),
            fc.json(),
            fc.jsonValue().map((value) => JSON.stringify(value)),
          ),
          async (path, body) => {
            const { status } = await call('POST', path, body === '' ? undefined : body);
            expect([200, 201, 202, 400, 404]).toContain(status);
          },
        ),
        { numRuns: 60 },
      );
      expect((await call('GET', '/healthz')).status).toBe(200);
    }, 180_000);
  });

  describe('POST /v1/events', () => {
    const event = {
      specversion: '1.0',
      id: 'e-1',
      source: '/shop',
      type: 'com.shop.Order.Shipped.v2',
      subject: 'order 7/ä',
      severity: 'high',
      data: { summary: 'Order 7 was shipped' },
    };

    it('stores a CloudEvent under the source http of the caller’s tenant, once per source and id', async () => {
      const answer = await call('POST', '/v1/events', event);
      expect(answer).toMatchObject({
        status: 202,
        body: {
          id: 'e-1',
          stream: 'PLEXUS_IN',
          duplicate: false,
          subject: expect.stringMatching(/^plexus\.in\.default\.http\.com-shop-order-shipped\.v2\.x--/),
        },
      });
      const stored = await mesh.operator.messageAt('PLEXUS_IN', answer.body.seq);
      expect(stored?.json()).toEqual({ ...event, time: expect.any(String) });
      expect(stored?.parsed?.key).toEqual(['order 7/ä']);
      expect((await call('POST', '/v1/events', event)).body).toMatchObject({ duplicate: true });
    });

    it('refuses an event that claims another tenant, or whose key would be too long', async () => {
      expect((await call('POST', '/v1/events', { ...event, id: 'e-2', tenantid: 'other' })).body).toMatchObject({ status: 403, code: 'TENANT_MISMATCH' });
      expect((await call('POST', '/v1/events', { ...event, id: 'e-3', subject: 'ä'.repeat(500) })).body).toMatchObject({ status: 400, code: 'INVALID_EVENT' });
    });

    it('takes application/cloudevents+json', async () => {
      const answer = await call('POST', '/v1/events', { ...event, id: 'e-4' }, { headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' } });
      expect(answer.status).toBe(202);
    });
  });

  describe('the event stream of a session', () => {
    const session = (user = 'me') => routing.ensure({ tenant: 'default', user }, `agent:main:sse${++number}`);

    it('carries every event with its stream sequence as id, of this session and owner only', async () => {
      const to = session();
      const other = session();
      const stream = follow(to.sessionKey);
      await stream.ready();
      await routing.answer(other, 'run-other', ['no']);
      await routing.answer(routing.ensure({ tenant: 'default', user: 'ann' }, to.sessionKey), 'run-ann', ['no']);
      await routing.answer(to, 'run-1', ['Hel', 'lo']);
      await waitFor(() => stream.types().includes('execution_complete'), { what: 'the end' });
      expect(stream.events.map(({ event, data }) => [event, data.content, data.runId])).toEqual([
        ['text_chunk', 'Hel', 'run-1'],
        ['text_chunk', 'lo', 'run-1'],
        ['execution_complete', undefined, 'run-1'],
      ]);
      const ids = stream.events.map(({ id }) => id as number);
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
    });

    it.each([false, true])('continues behind Last-Event-ID without losing or repeating anything (in the query: %s)', async (inQuery) => {
      const to = session();
      const first = follow(to.sessionKey);
      await first.ready();
      await routing.answer(to, 'run-1', ['1', '2', '3'], { end: false });
      await waitFor(() => first.events.length === 3, { what: 'three events' });
      first.close();
      await routing.answer(to, 'run-1', ['4', '5'], { from: 4, end: false });
      const again = follow(to.sessionKey, { lastEventId: first.events[1]?.id as number, inQuery });
      await again.ready();
      await routing.answer(to, 'run-1', ['6'], { from: 6 });
      await waitFor(() => again.types().includes('execution_complete'), { what: 'the end' });
      expect(again.events.map(({ data }) => data.content)).toEqual(['3', '4', '5', '6', undefined]);
    });

    it('asks for a full read when the id is unknown, of another session, or too far behind', async () => {
      const [to, other] = [session(), session()];
      await routing.answer(to, 'run-1', ['x'], { end: false });
      const seq = await routing.publish(other, { runId: 'r', runSeq: 1, event: { type: 'text_chunk', content: 'other' } });
      for (const lastEventId of [seq, 99_999_999]) {
        const stream = follow(to.sessionKey, { lastEventId });
        await waitFor(() => stream.events.length === 1, { what: 'resync' });
        expect(stream.types()).toEqual(['resync']);
      }
      const far = session();
      const start = await routing.publish(far, { runId: 'r', runSeq: 1, event: { type: 'text_chunk', content: '1' } });
      for (let index = 0; index < 510; index += 1) await routing.publish(far, { event: { type: 'noise' } });
      const stream = follow(far.sessionKey, { lastEventId: start });
      await waitFor(() => stream.events.length >= 1, { what: 'resync' });
      // Events that this gateway had not read yet when the stream began come behind it.
      expect(stream.types()[0]).toBe('resync');
    });

    it('follows a reset into the next incarnation', async () => {
      const to = session();
      const stream = follow(to.sessionKey);
      await stream.ready();
      await routing.answer(to, 'run-1', ['old']);
      await call('POST', `/v1/sessions/${encodeURIComponent(to.sessionKey)}/reset`);
      await routing.answer(to, 'run-1', ['new']);
      await waitFor(() => stream.events.filter(({ event }) => event === 'execution_complete').length === 2, { what: 'both ends' });
      expect(stream.events.filter(({ event }) => event === 'text_chunk').map(({ data }) => data.content)).toEqual(['old', 'new']);
    });

    it('drops what the reader rules drop', async () => {
      const to = session();
      const stream = follow(to.sessionKey);
      await stream.ready();
      await routing.answer(to, 'run-1', ['a']);
      await routing.publish(to, { runId: 'run-1', runSeq: 9, event: { type: 'text_chunk', content: 'LATE' } });
      await routing.answer(to, 'run-2', ['b']);
      await waitFor(() => stream.events.filter(({ event }) => event === 'execution_complete').length === 2, { what: 'both ends' });
      expect(stream.events.filter(({ event }) => event === 'text_chunk').map(({ data }) => data.content)).toEqual(['a', 'b']);
    });

    it('is refused like everything else', async () => {
      const path = '/v1/sessions/main/stream';
      expect((await call('GET', path, undefined, { token: 'wrong' })).status).toBe(401);
      expect((await call('GET', path, undefined, { token: await mesh.jwt({ sub: 'ann', scopes: [] }) })).status).toBe(403);
      expect((await call('GET', path, undefined, { headers: { 'last-event-id': 'x' } })).status).toBe(400);
    });
  });

  it('reads the inbox that push keeps', async () => {
    push.deliver('default', 'me');
    expect((await call('GET', '/v1/inbox')).body.items[0]).toMatchObject({ offset: 1, title: 'Item 1' });
  });
});
