import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Bus, connectBus } from '@plexus/bus';
import {
  type InputOf,
  pushContracts,
  pushManageContracts,
  pushTriggersContracts,
  pushPolicyContracts as policies,
  type ResponseOf,
  type RpcContract,
  SCOPES,
  routingContracts,
} from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { RunningService } from '@plexus/service-kit';
import { createTestDatabase, type TestDatabase, waitFor } from '@plexus/testing';
import { startPush, startTestMesh, type TestMesh } from './support/mesh.js';
import { prismaFolder } from './support/push-on-postgres.js';

const {
  putPolicy,
  testPolicy,
  activatePolicy,
  rollbackPolicy,
  retirePolicy,
  getPolicy,
  listPolicies,
  diffPolicies,
  replayPolicy,
  getReplay,
  cancelReplay,
  explain,
} = policies;
const { feedback, pushStats } = policies;
const ADMIN = { scopes: [SCOPES.admin] };

const CALM = 'name: calm\ncollapse: { ttlSeconds: 60 }\n';
const WITH_TEST = (interrupts: number) =>
  `${CALM}tests: [{ name: one message, steps: [{ at: 0, event: { id: a } }], expect: { interrupts: ${interrupts} } }]\n`;
const INHIBITING = 'name: inhibiting\ninhibit: [{ source: { types: [down] }, target: { types: [noise] }, equal: [case] }]\n';
const ONCE = 'name: once\nthrottle: [{ n: 1, perSeconds: 86400 }]\n';

/** Each test has a tenant's user of its own, but the policies of tenant `acme` are shared: the tests go on from one another, in order. */
describe('policies, explanations and opinions in the mesh', () => {
  let mesh: TestMesh;
  let database: TestDatabase;
  let push: RunningService;
  let gateway: Bus;
  let events = 0;

  beforeAll(async () => {
    mesh = await startTestMesh({ guarded: true });
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
    push = await startPush(mesh, database.url);
    gateway = mesh.gateway;
  });
  afterAll(async () => {
    await push?.stop('end of the test');
    await database?.drop();
    await mesh?.stop();
  });

  const as = (user: string, rest = {}) => mesh.user(user, rest);
  const admin = () => as('root', ADMIN);
  const call = <C extends RpcContract>(rpc: C, data: InputOf<C>, who: ReturnType<typeof as> = admin()): Promise<ResponseOf<C>> =>
    gateway.call(rpc, 'acme', data, who);
  const put = async (text: string, version?: number) => (await call(putPolicy, { text, ...(version === undefined ? {} : { version }) })).policy.version;
  const active = async () => (await call(listPolicies, {})).active;
  const publish = (rest: Record<string, unknown> = {}): string => {
    events += 1;
    const event = { specversion: '1.0', source: '/demo', type: 'demo.happened', id: `event-${events}`, ...rest };
    gateway.connection.publish(`plexus.in.acme.http.happened.v1.k${events}`, JSON.stringify(event));
    return event.id as string;
  };
  const follow = (user: string, rest: Partial<InputOf<typeof pushContracts.subscribe>> = {}) =>
    call(pushContracts.subscribe, { scopeKind: 'case', scopeRef: user, ...rest }, as(user));
  const explained = (user: string, id: string) => call(explain, { event: { id } }, as(user));
  const decided = (user: string, id: string) =>
    waitFor(
      async () => {
        const answer = await explained(user, id);
        return answer.decisions.length > 0 ? answer : undefined;
      },
      { what: `a decision about ${id} for ${user}` },
    );

  it('a tenant without a policy is decided by the built-in one, version 0', async () => {
    expect(await call(listPolicies, {}, as('me'))).toEqual({ active: 0, policies: [] });
    expect(await call(getPolicy, {}, as('me'))).toMatchObject({ policy: { version: 0, name: 'default', state: 'active' }, body: { throttle: [] } });
    await follow('ann');
    const answer = await decided('ann', publish({ data: { caseId: 'ann' } }));
    expect(answer).toMatchObject({ outcome: 'sent', decisions: [{ verdict: 'sent', reason: 'sent', policyVersion: 0, terminal: true }] });
    expect(answer.decisions[0]?.trace.map(({ stage }) => stage)).toEqual(expect.arrayContaining(['idempotency', 'preference', 'emit']));
  });

  it('a draft whose embedded test fails cannot be activated; after the fix it can, and decisions carry its version from there on', async () => {
    const version = await put(WITH_TEST(2));
    await expect(call(activatePolicy, { version })).rejects.toMatchObject({ code: 'CONFLICT', details: { failures: [{ test: 'one message' }] } });
    expect(await call(testPolicy, { version })).toMatchObject({
      report: { passed: false, total: 1 },
      policy: { state: 'draft', tests: { total: 1, failed: 1 } },
    });
    expect(await active()).toBe(0);

    expect(await put(WITH_TEST(1), version)).toBe(version);
    expect(await call(testPolicy, { version })).toMatchObject({ report: { passed: true }, policy: { state: 'tested' } });
    const activated = await call(activatePolicy, { version });
    expect(activated).toMatchObject({
      policy: { version, state: 'active', activatedBy: 'root' },
      replaced: 0,
      report: { passed: true },
      replay: { criticalRegressionCount: 0 },
    });
    const { policy } = await waitFor(
      async () => {
        const found = await call(getPolicy, {});
        return found.policy.activatedSeq === undefined ? undefined : found;
      },
      { what: 'the position of the activation' },
    );
    expect(policy).toMatchObject({ version, name: 'calm' });
    const answer = await decided('ann', publish({ data: { caseId: 'ann' } }));
    expect(answer.decisions[0]).toMatchObject({ policyVersion: version, verdict: 'sent' });
    await expect(call(putPolicy, { text: CALM, version })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(call(retirePolicy, { version })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('a text that is no policy is refused with the place of each fault', async () => {
    await expect(call(putPolicy, { text: 'name: x\nthrottle: [{ n: 0, perSeconds: 1 }]' })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      details: { issues: [{ path: 'throttle.0.n' }] },
    });
    await expect(call(putPolicy, {})).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(call(activatePolicy, { version: 999 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('of policies that are activated at once one after the other decides, and none without having been compared with its predecessor', async () => {
    const before = await active();
    const drafts = [await put(`${CALM}# a\n`), await put(`${CALM}# b\n`), await put(`${CALM}# c\n`)];
    const ended = await Promise.allSettled(drafts.map((version) => call(activatePolicy, { version, replayHours: 1 })));
    for (const one of ended) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'CONFLICT' });
    const done = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(done.length).toBeGreaterThan(0);
    // They form one chain from the policy that was active before to the one that is active now.
    const next = new Map(done.map(({ replaced, policy }) => [replaced, policy.version]));
    let last = before;
    for (const _ of done) last = next.get(last) ?? -1;
    expect(last).toBe(await active());
    const { policies: all } = await call(listPolicies, {});
    expect(all.filter(({ state }) => state === 'active')).toHaveLength(1);
  });

  it('rolls back to the policy before, which then decides again', async () => {
    const [was, version] = [await active(), await put(ONCE)];
    await call(activatePolicy, { version });
    expect(await call(rollbackPolicy, {})).toMatchObject({ policy: { version: was, state: 'active' }, replaced: version });
    const answer = await waitFor(
      async () => {
        const found = await decided('ann', publish({ data: { caseId: 'ann' } }));
        return found.decisions[0]?.policyVersion === was ? found : undefined;
      },
      { what: 'a decision by the policy before' },
    );
    expect(answer.outcome).toBe('sent');
    expect((await call(diffPolicies, { from: was, to: version })).changes.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['collapse.ttlSeconds', 'throttle.0']),
    );
  });

  it('goes back to the built-in policy as well, and from there to the one before', async () => {
    const was = await active();
    expect(await call(rollbackPolicy, { version: 0 })).toMatchObject({ policy: { version: 0, state: 'active' }, replaced: was });
    expect(await active()).toBe(0);
    await waitFor(async () => (await decided('ann', publish({ data: { caseId: 'ann' } }))).decisions[0]?.policyVersion === 0, {
      what: 'a decision by the built-in policy',
    });
    await expect(call(rollbackPolicy, { version: 0 })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await call(rollbackPolicy, {})).toMatchObject({ policy: { version: was }, replaced: 0 });
    await waitFor(async () => (await decided('ann', publish({ data: { caseId: 'ann' } }))).decisions[0]?.policyVersion === was, {
      what: 'a decision by the policy before',
    });
  });

  it('a replay finds what a draft adds and removes; one that loses a critical event cannot be activated', async () => {
    await follow('rita');
    const down = publish({ type: 'down', severity: 'critical', eventstate: 'firing', dedupkey: 'd', data: { caseId: 'rita' } });
    await decided('rita', down);
    const noise = publish({ type: 'noise', severity: 'critical', data: { caseId: 'rita' } });
    await decided('rita', noise);
    // One after the other: the order of events that are matched at the same time is nobody's promise.
    const rest: string[] = [];
    for (const _ of [1, 2]) {
      rest.push(publish({ data: { caseId: 'rita' } }));
      await decided('rita', rest.at(-1) as string);
    }

    const from = new Date(Date.now() - 3_600_000).toISOString();
    const replay = (text: string) => finished(call(replayPolicy, { text, from, users: ['rita'] }));
    const once = await replay(ONCE);
    expect(once).toMatchObject({ state: 'done', against: await active(), result: { added: 0, removed: 1, moved: 0, criticalRegressionCount: 0 } });
    expect(once.result?.examples.removed).toMatchObject([{ user: 'rita', event: { id: rest[1] } }]);
    const lossy = await replay(INHIBITING);
    expect(lossy.result?.criticalRegressions).toMatchObject([{ user: 'rita', event: { id: noise }, after: { reason: 'inhibited' } }]);
    expect(lossy.result?.coverage).toMatchObject({ users: 1, complete: true });

    // Once because the activation itself finds it, once because an earlier replay of the same text did.
    const was = await active();
    for (const text of [`${INHIBITING}collapse: { ttlSeconds: 599 }\n`, INHIBITING]) {
      await expect(call(activatePolicy, { version: await put(text), replayHours: 1 })).rejects.toMatchObject({
        code: 'CONFLICT',
        details: { criticalRegressionCount: 1, criticalRegressions: [{ user: 'rita', event: { id: noise } }] },
      });
    }
    const version = (await call(listPolicies, {})).policies[0]?.version as number;
    expect(await active()).toBe(was);
    expect(await call(retirePolicy, { version })).toMatchObject({ policy: { state: 'retired' } });
    await expect(call(activatePolicy, { version })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  const finished = async (starting: Promise<policies.ReplayJob>): Promise<policies.ReplayJob> => {
    const { jobId } = await starting;
    return waitFor(
      async () => {
        const job = await call(getReplay, { jobId });
        return job.state === 'running' ? undefined : job;
      },
      { what: 'the end of the replay' },
    );
  };

  it('a job that is over stays as it ended, also when somebody cancels it; one that never was is not found', async () => {
    const from = new Date(Date.now() - 1_000).toISOString();
    const { jobId } = await finished(call(replayPolicy, { version: 0, from, waitMs: 0 }));
    expect(await call(cancelReplay, { jobId })).toMatchObject({ jobId, state: 'done' });
    await expect(call(getReplay, { jobId: 'rpl_none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(call(replayPolicy, { version: 0, from: new Date(Date.now() + 60_000).toISOString() })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('explains a user without a decision by every subscription that was looked at', async () => {
    await follow('olga');
    await follow('olga', { scopeKind: 'topic', scopeRef: 'fraud' });
    await follow('ann');
    const shared = publish({ data: { caseId: 'ann' } });
    await decided('ann', shared);
    const answer = await explained('olga', shared);
    expect(answer).toMatchObject({ outcome: 'no_subscription', decisions: [], event: { id: shared, type: 'demo.happened' }, toBeSent: { stage: 'match' } });
    expect(answer.search).toBeUndefined();
    expect(answer.subscriptions.map(({ covers, why }) => ({ covers, why }))).toEqual([
      { covers: false, why: 'It follows case "olga"; the event is about case "ann".' },
      { covers: false, why: 'It follows the topic "fraud"; the event names no topics.' },
    ]);
  });

  it('explains an event that concerned nobody from the stream itself, and says when it is not there', async () => {
    const lonely = publish({ data: { caseId: 'nobody' } });
    const answer = await waitFor(
      async () => {
        const found = await explained('olga', lonely);
        return found.outcome === 'event_unknown' ? undefined : found;
      },
      { what: 'the event in the stream' },
    );
    expect(answer).toMatchObject({ outcome: 'no_subscription', search: { stream: 'PLEXUS_IN', found: true } });
    expect(await explained('olga', 'never-was')).toMatchObject({
      outcome: 'event_unknown',
      search: { found: false, exhausted: true },
      sentence: expect.stringMatching(/never arrived/),
    });
    expect(await call(explain, { event: { id: lonely, origin: 'crm' } }, as('olga'))).toMatchObject({ outcome: 'event_unknown' });
    await follow('late', { scopeRef: 'nobody' });
    expect(await explained('late', lonely)).toMatchObject({ outcome: 'subscribed_later' });
    gateway.connection.publish('plexus.in.acme.http.broken.v1.k', JSON.stringify({ id: 'broken-1', source: '/demo', type: 't' }));
    const broken = await waitFor(
      async () => {
        const found = await explained('olga', 'broken-1');
        return found.outcome === 'event_unknown' ? undefined : found;
      },
      { what: 'the broken event in the stream' },
    );
    expect(broken).toMatchObject({ outcome: 'invalid_event', sentence: expect.stringMatching(/specversion/) });
  });

  it('an event that a user may not see is not described to him', async () => {
    const hidden = publish({ data: { caseId: 'secret', summary: 'x' } });
    await call(pushManageContracts.restrictScope, { scopeKind: 'case', scopeRef: 'secret', restricted: true });
    const answer = await waitFor(
      async () => {
        const found = await explained('olga', hidden);
        return found.outcome === 'event_unknown' ? undefined : found;
      },
      { what: 'the event in the stream' },
    );
    expect(answer).toMatchObject({
      outcome: 'no_subscription',
      subscriptions: expect.arrayContaining([expect.objectContaining({ why: 'It does not cover the event.' })]),
    });
    expect(answer.event).toBeUndefined();
    expect(await call(explain, { event: { id: hidden }, user: 'olga' })).toMatchObject({ event: { type: 'demo.happened' } });
  });

  it('what somebody was told directly, or may not see any more, is nobody else’s to ask about', async () => {
    const { eventId } = await call(pushTriggersContracts.notifyUser, { summary: 'Only for you', topics: ['fraud'], caseId: 'private' }, as('pia'));
    expect((await decided('pia', eventId)).outcome).toBe('sent');
    const asked = await explained('olga', eventId);
    expect([asked.outcome, asked.event]).toEqual(['event_unknown', undefined]);
    expect(JSON.stringify(asked)).not.toMatch(/pia|fraud|private/);
    expect(await call(explain, { event: { id: eventId }, user: 'olga' })).toMatchObject({ outcome: 'no_subscription', event: { id: eventId } });
    const elsewhere = await gateway.call(explain, 'other', { event: { id: eventId } }, mesh.user('pia', { tenant: 'other', ...ADMIN }));
    expect(elsewhere).toMatchObject({ outcome: 'event_unknown', search: { examined: 0 } });

    // Followed all the same: that it was kept from him is told, and nothing of it.
    await follow('quin', { scopeKind: 'topic', scopeRef: 'quin' });
    await call(pushManageContracts.revokeAccess, { user: 'quin', scopeKind: 'case', scopeRef: 'closed-to-quin' });
    const kept = await waitFor(
      async () => {
        const found = await decided('quin', publish({ type: 'demo.secret', data: { caseId: 'closed-to-quin', topics: ['quin'] } }));
        return found.outcome === 'dropped' ? found : undefined;
      },
      { what: 'the revocation to count' },
    );
    expect(kept).toMatchObject({ decisions: [{ reason: 'not_authorized' }], others: 0 });
    expect(JSON.stringify(kept)).not.toMatch(/closed-to-quin|demo\.secret/);
    // Somebody who was shut out of a scope that others may see, and follows nothing of it, is told as little.
    await call(pushManageContracts.revokeAccess, { user: 'olga', scopeKind: 'case', scopeRef: 'closed-to-olga' });
    const lonely = publish({ data: { caseId: 'closed-to-olga' } });
    const shut = await waitFor(
      async () => {
        const found = await explained('olga', lonely);
        return found.outcome === 'event_unknown' ? undefined : found;
      },
      { what: 'the event in the stream' },
    );
    expect(shut.event).toBeUndefined();
    expect(JSON.stringify(shut)).not.toContain('closed-to-olga');
  });

  it('opinions count with the decision, the reason and the subscription, and repeated "not useful" suggests a quieter level', async () => {
    const { subscription } = await follow('fay');
    const ids = [1, 2, 3].map(() => publish({ data: { caseId: 'fay' } }));
    const deliveries = await Promise.all(ids.map(async (id) => (await decided('fay', id)).decisions[0]?.deliveryId as string));
    const [first = '', second = '', third = ''] = deliveries;
    expect(await call(feedback, { deliveryId: first, useful: true }, as('fay'))).toEqual({ recorded: true, suggestions: [] });
    await call(feedback, { deliveryId: first, useful: false, note: 'again' }, as('fay'));
    await call(feedback, { deliveryId: second, useful: false }, as('fay'));
    const { suggestions } = await call(feedback, { deliveryId: third, useful: false }, as('fay'));
    expect(suggestions).toMatchObject([{ subscriptionId: subscription.id, level: 'digest' }]);
    expect((await explained('fay', ids[0] as string)).decisions[0]?.feedback).toMatchObject({ useful: false, note: 'again' });
    const stats = await call(pushStats, {}, as('fay'));
    expect(stats.decisions).toEqual([{ verdict: 'sent', reason: 'sent', count: 3, useful: 0, notUseful: 3 }]);
    expect(stats.subscriptions).toMatchObject([{ subscriptionId: subscription.id, delivered: 3, interrupts: 3, notUseful: 3, level: 'all' }]);
    await expect(call(feedback, { deliveryId: first, useful: false }, as('olga'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { subscriptions } = await call(pushContracts.listSubscriptions, {}, as('fay'));
    expect(subscriptions).toMatchObject([{ level: 'all' }]);
  });

  it('lets everybody read policies and explain what is his, and operators the rest', async () => {
    const reader = as('reader', { scopes: [SCOPES.read] });
    const writer = as('writer', { scopes: [SCOPES.write] });
    const stranger = as('stranger', { scopes: [] });
    const vm = as('vm', { role: 'vm', scopes: [SCOPES.admin] });
    const from = new Date(Date.now() - 1_000).toISOString();
    const writing: [RpcContract, unknown][] = [
      [putPolicy, { text: CALM }],
      [testPolicy, { text: CALM }],
      [activatePolicy, { version: 1 }],
      [rollbackPolicy, {}],
      [retirePolicy, { version: 1 }],
      [replayPolicy, { version: 0, from }],
      [getReplay, { jobId: 'x' }],
      [cancelReplay, { jobId: 'x' }],
      [explain, { event: { id: 'x' }, user: 'ann' }],
      [pushStats, { user: 'ann' }],
      [pushStats, { everybody: true }],
    ];
    for (const [rpc, data] of writing) {
      for (const who of [reader, writer, stranger]) await expect(call(rpc, data as never, who)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
      await expect(call(rpc, data as never, vm)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    const reading: [RpcContract, unknown][] = [
      [getPolicy, {}],
      [listPolicies, {}],
      [diffPolicies, { to: 0 }],
      [explain, { event: { id: 'never-was' } }],
      [pushStats, {}],
    ];
    for (const [rpc, data] of reading) {
      for (const who of [reader, writer]) await expect(call(rpc, data as never, who)).resolves.toBeDefined();
      await expect(call(rpc, data as never, stranger)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
      await expect(call(rpc, data as never, vm)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    const other = mesh.user('root', { tenant: 'other', ...ADMIN });
    expect(await gateway.call(listPolicies, 'other', {}, other)).toEqual({ active: 0, policies: [] });
    await expect(call(listPolicies, {}, other)).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
  });

  it('forgets a person: opinions, results of replays that name him, and who wrote a policy', async () => {
    const gone = as('gone', ADMIN);
    const { policy } = await call(putPolicy, { text: CALM }, gone);
    await follow('gone');
    const ids: string[] = [];
    for (const _ of [1, 2]) {
      ids.push(publish({ data: { caseId: 'gone' } }));
      await decided('gone', ids.at(-1) as string);
    }
    const [first] = (await explained('gone', ids[0] as string)).decisions;
    await call(feedback, { deliveryId: first?.deliveryId as string, useful: true }, gone);
    const job = await finished(call(replayPolicy, { text: ONCE, from: new Date(Date.now() - 3_600_000).toISOString(), users: ['gone'] }));
    expect(job.result?.examples.removed).toMatchObject([{ user: 'gone' }]);

    const erasureId = ulid();
    const data = { erasureId, user: 'gone', requestedBy: 'root', at: new Date().toISOString() };
    const nkeySeed = readFileSync(mesh.credentialOf('routing').NATS_NKEY_SEED_FILE as string, 'utf8');
    const routing = await connectBus({ service: 'routing', servers: mesh.nats.url, credentials: { nkeySeed }, allowAnonymous: true });
    try {
      await routing.publish(routingContracts.eraseRequested, { tenant: 'acme', key: [erasureId], data });
      await waitFor(() => routing.lastOnSubject('PLEXUS_EVT_USER', routingContracts.userErased.subject('acme', erasureId)), { what: 'the receipt' });
    } finally {
      await routing.close();
    }
    await expect(call(getReplay, { jobId: job.jobId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await call(getPolicy, { version: policy.version })).toMatchObject({ policy: { createdBy: '' } });
    expect(await call(pushStats, {}, gone)).toMatchObject({ decisions: [], subscriptions: [] });
  });
});
