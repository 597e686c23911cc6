import { type InputOf, plexusError, pushPolicyContracts as push, type ReplyOf, type RpcContract } from '@plexus/contracts';
import { type TestGateway, TestMesh } from './support/test-mesh.js';

const AT = '2026-11-21T10:00:00.000Z';
const policy = { version: 3, name: 'calm', state: 'draft' as const, digest: 'abc', createdBy: 'me', createdAt: AT };
const report = { passed: true, total: 1, failures: [] };
const job = { jobId: 'rpl_1', state: 'running' as const, progress: { inputs: 5, partitions: 1 }, against: 0, digest: 'abc', createdAt: AT };

describe('policies, explanations and opinions over HTTP', () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  /** What push was asked, newest last. */
  const asked: { name: string; data: unknown; user: string | undefined }[] = [];

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const bus = await mesh.standIn('push');
    const serve = <C extends RpcContract>(rpc: C, answer: ReplyOf<C>) =>
      bus.serve(rpc, async (data, { principal }) => {
        asked.push({ name: rpc.name, data, user: principal.user });
        return answer;
      });
    serve(push.putPolicy, { policy });
    serve(push.testPolicy, { report, policy });
    serve(push.rollbackPolicy, { policy, replaced: 4, report });
    serve(push.retirePolicy, { policy });
    serve(push.listPolicies, { active: 0, policies: [policy] });
    serve(push.diffPolicies, { changes: [] });
    for (const rpc of [push.replayPolicy, push.getReplay, push.cancelReplay]) serve(rpc, job);
    serve(push.explain, { outcome: 'no_subscription', sentence: 'Nothing.', user: 'me', others: 0, decisions: [], repeats: 0, subscriptions: [] });
    serve(push.pushStats, { from: AT, to: AT, decisions: [], subscriptions: [], suggestions: [] });
    serve(push.feedback, { recorded: true, suggestions: [] });
    bus.serve(push.activatePolicy, async () => {
      throw plexusError('CONFLICT', { details: { failures: [{ test: 'one', message: 'expected 1, got 2' }] } });
    });
    bus.serve(push.getPolicy, async () => {
      throw plexusError('NOT_FOUND');
    });
    gateway = await mesh.gateway();
  });
  afterAll(() => mesh?.stop());

  async function call(method: string, path: string, body?: unknown, type = 'application/json') {
    const headers = { authorization: `Bearer ${mesh.token}`, ...(body === undefined ? {} : { 'content-type': type }) };
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await fetch(`${gateway.http}${path}`, { method, headers, ...sent });
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
    return { status: response.status, body: (await response.json()) as any };
  }

  const from = AT;
  const replay: Partial<InputOf<typeof push.replayPolicy>> = { version: 3, from, users: ['ann'] };
  it.each<[string, string, unknown, number, string, unknown]>([
    ['GET', '/v1/policies?limit=5', undefined, 200, 'list-policies', { limit: 5 }],
    ['POST', '/v1/policies', { text: 'name: calm', notes: 'n' }, 201, 'put-policy', { text: 'name: calm', notes: 'n' }],
    ['POST', '/v1/policies', { body: { name: 'calm' } }, 201, 'put-policy', { body: { name: 'calm' } }],
    ['PUT', '/v1/policies/3', { text: 'name: calm' }, 200, 'put-policy', { version: 3, text: 'name: calm' }],
    ['POST', '/v1/policies/test', { text: 'name: calm' }, 200, 'test-policy', { text: 'name: calm' }],
    ['POST', '/v1/policies/3/test', undefined, 200, 'test-policy', { version: 3 }],
    ['POST', '/v1/policies/rollback', { version: 2 }, 200, 'rollback-policy', { version: 2 }],
    ['POST', '/v1/policies/3/retire', undefined, 200, 'retire-policy', { version: 3 }],
    ['GET', '/v1/policies/diff?from=0&to=3', undefined, 200, 'diff-policies', { from: 0, to: 3 }],
    ['POST', '/v1/policies/3/replay', { from, users: ['ann'] }, 202, 'replay-policy', replay],
    ['GET', '/v1/policies/replays/rpl_1?waitMs=10', undefined, 200, 'get-replay', { jobId: 'rpl_1', waitMs: 10 }],
    ['DELETE', '/v1/policies/replays/rpl_1', undefined, 200, 'cancel-replay', { jobId: 'rpl_1' }],
    ['GET', '/v1/push/explain?event=e1&source=%2Fcrm&user=ann', undefined, 200, 'explain', { event: { id: 'e1', source: '/crm' }, user: 'ann' }],
    ['GET', '/v1/push/stats?everybody=true', undefined, 200, 'stats', { everybody: true }],
    ['POST', '/v1/feedback', { deliveryId: 'dlv_1', useful: false }, 200, 'feedback', { deliveryId: 'dlv_1', useful: false }],
  ])('%s %s %j', async (method, path, body, status, name, data) => {
    const answer = await call(method, path, body);
    expect([answer.status, answer.body]).toEqual([status, expect.any(Object)]);
    expect(asked.at(-1)).toMatchObject({ name, data, user: 'me' });
  });

  it.each(['text/plain', 'application/yaml'])('takes a policy as it is written, as %s', async (type) => {
    const text = 'name: calm # with a comment\n';
    expect(await call('POST', '/v1/policies?notes=why', text, type)).toMatchObject({ status: 201, body: { policy: { version: 3 } } });
    expect(asked.at(-1)).toMatchObject({ name: 'put-policy', data: { text, notes: 'why' } });
  });

  it('says why a policy is refused, and what is not there', async () => {
    const refused = await call('POST', '/v1/policies/3/activate', { replayHours: 1 });
    expect(refused).toMatchObject({ status: 409, body: { code: 'CONFLICT', failures: [{ test: 'one' }] } });
    expect(await call('GET', '/v1/policies/9')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await call('GET', '/v1/policies/x')).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(await call('GET', '/v1/push/explain')).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(await call('POST', '/v1/policies', { nonsense: 1 })).toMatchObject({ status: 400 });
  });
});
