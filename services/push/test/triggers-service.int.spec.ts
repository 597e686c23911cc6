import path from 'node:path';
import {
  BUCKETS,
  memorySimilarityContracts,
  type Principal,
  pushContracts,
  pushTriggersContracts as triggers,
  type RpcContract,
  SCOPES,
} from '@plexus/contracts';
import { createPool } from '@plexus/database';
import type { RunningService } from '@plexus/service-kit';
import { createTestDatabase, type TestDatabase, waitFor } from '@plexus/testing';
import { startPush, startStandIn, startTestMesh, type TestMesh } from './support/mesh.js';
import { prismaFolder } from './support/push-on-postgres.js';
import { RoutingStandIn } from './support/routing-stand-in.js';

const { subscribe, fetchInbox } = pushContracts;

describe('triggers in the mesh, with the permissions of the mesh', () => {
  let mesh: TestMesh;
  let database: TestDatabase;
  let running: RunningService[];
  let routing: RoutingStandIn;
  const operator = () => mesh.user('root', { role: 'operator', scopes: [SCOPES.admin] });

  beforeAll(async () => {
    mesh = await startTestMesh({ guarded: true });
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
    const [routed, memory] = await Promise.all([startStandIn(mesh, 'routing'), startStandIn(mesh, 'memory')]);
    routing = new RoutingStandIn(routed);
    const likes: Record<string, number> = { 'vessels in the Baltic': 0.81, 'bread prices': 0.12 };
    memory.context.bus.serve(memorySimilarityContracts.similarity, async ({ others }) => ({
      available: true,
      scores: others.map(({ id, text }) => ({ id, score: likes[text] ?? 0 })),
    }));
    const config = {
      agents: { list: [{ id: 'main', default: true, owner: 'eve', heartbeat: { everyMs: 25_920_000_000 } }] },
      cron: { jobs: [{ id: 'daily', cron: '0 0 29 2 *', message: 'Report' }] },
    };
    await (await routed.context.bus.kv(BUCKETS.config)).put('acme', config);
    running = [routed, memory, await startPush(mesh, database.url)];
  });
  afterAll(async () => {
    await Promise.all((running ?? []).map((service) => service.stop('end of the test')));
    await database?.drop();
    await mesh?.stop();
  });

  const call = <C extends RpcContract>(rpc: C, data: Parameters<typeof mesh.gateway.call<C>>[2], who: { principal: Principal }) =>
    mesh.gateway.call(rpc, 'acme', data, who);
  const inbox = (name: string) => call(fetchInbox, { after: 0, limit: 200 }, mesh.user(name));
  const items = (name: string, count: number) =>
    waitFor(async () => ((await inbox(name)).items.length >= count ? (await inbox(name)).items : undefined), { what: `${count} items of ${name}` });
  /** As the pipeline of an integrator would. */
  const publish = (type: string, id: string, data: object) =>
    mesh.gateway.publishRaw(
      `plexus.in.acme.http.${type.replace('_', '-')}.v1.${id}`,
      Buffer.from(JSON.stringify({ specversion: '1.0', source: '/aegi', type: `aegi.${type}`, id, data })),
      {
        msgId: id,
      },
    );

  it('requirement 000: progress reaches who follows the case; a finished collection is researched first, then told', async () => {
    await call(subscribe, { scopeKind: 'case', scopeRef: 'case-7' }, mesh.user('analyst'));
    const saved = await call(
      triggers.saveDispatchRule,
      { name: 'collections', match: { types: ['*collection_done'] }, research: { message: 'What is new? {{summary}}' }, notify: { to: ['lead', 'root'] } },
      operator(),
    );
    expect(saved).toMatchObject({ created: true, rule: { owner: 'root', maxPerHour: 60 } });
    await publish('pipeline_progress', 'p1', { summary: 'Stage 3 of 5', caseId: 'case-7' });
    expect(await items('analyst', 1)).toMatchObject([{ title: 'Stage 3 of 5', reasons: [{ method: 'rule' }] }]);
    await publish('collection_done', 'c1', { summary: 'Collection about Aurora is complete', caseId: 'case-7' });
    await items('analyst', 2);
    const run = await waitFor(() => routing.accepted.find(({ user }) => user === 'root'), { what: 'the research' });
    expect(run).toMatchObject({ role: 'service', message: 'What is new? Collection about Aurora is complete', sessionKey: `agent:main:dispatch:${run.runId}` });
    expect((await inbox('lead')).items).toEqual([]);
    run.answer = 'Three new sources.\nDetails follow.';
    for (const name of ['lead', 'root']) {
      expect(await items(name, 1)).toMatchObject([
        {
          title: 'Collection about Aurora is complete: Three new sources.',
          reasons: [{ subscriptionId: 'direct', method: 'rule' }],
          events: [{ data: { text: run.answer } }],
        },
      ]);
    }
    expect(await call(triggers.dispatchStatus, { runId: run.runId }, operator())).toMatchObject({ run: { state: 'done', kind: 'rule', result: run.answer } });
  });

  it('an event concerns whoever wrote down an interest that it means', async () => {
    await call(subscribe, { scopeKind: 'all', interestText: 'vessels in the Baltic' }, mesh.user('sailor'));
    await call(subscribe, { scopeKind: 'all', interestText: 'bread prices' }, mesh.user('baker'));
    await call(subscribe, { scopeKind: 'type', scopeRef: 'aegi.meaning' }, mesh.user('watcher'));
    await publish('meaning', 'm1', { summary: 'A tanker was seen near the cable' });
    await items('watcher', 1);
    expect(await items('sailor', 1)).toMatchObject([{ title: 'A tanker was seen near the cable', reasons: [{ method: 'semantic' }] }]);
    expect((await inbox('baker')).items).toEqual([]);
  });

  it('a schedule states each due time once, and its followers hear of it; one of a single moment is over then', async () => {
    await call(subscribe, { scopeKind: 'topic', scopeRef: 'reports' }, mesh.user('reader'));
    const action = { kind: 'event' as const, type: 'report.due', summary: 'Report is due', topics: ['reports'] };
    const { schedule } = await call(triggers.createSchedule, { name: 'often', everyMs: 1_000, action }, mesh.user('clerk'));
    const fired = async () =>
      (await call(triggers.scheduleRuns, { id: schedule.id, limit: 200 }, mesh.user('clerk'))).runs.filter(({ state }) => state === 'fired');
    const at = new Date(Date.now() + 60_000).toISOString();
    const once = await call(triggers.createSchedule, { name: 'once', at, action: { kind: 'notify', summary: 'Now' } }, mesh.user('clerk'));
    expect(once.schedule).toMatchObject({ at, nextAt: at, enabled: true });
    // The moment comes as soon as it was accepted, however long that took.
    const pool = createPool({ url: database.url, schema: 'push', applicationName: 'push-test', max: 1 });
    await pool.query('test_now', 'UPDATE schedule SET at = now(), next_at = now() WHERE id = $1', [once.schedule.id]);
    await pool.close();
    expect(await items('clerk', 1)).toMatchObject([{ title: 'Now' }]);
    const { schedules } = await call(triggers.listSchedules, {}, mesh.user('clerk'));
    expect(schedules.find(({ id }) => id === once.schedule.id)).toMatchObject({ enabled: false });
    await waitFor(async () => (await fired()).length >= 2, { what: 'two firings' });
    await call(triggers.updateSchedule, { id: schedule.id, enabled: false }, mesh.user('clerk'));
    const due = (await fired()).map(({ dueAt }) => dueAt);
    expect(due.every((at) => Date.parse(at) % 1_000 === 0)).toBe(true);
    const told = await items('reader', due.length);
    expect(told.map(({ events }) => (events[0]?.data as { dueAt: string } | undefined)?.dueAt).sort()).toEqual([...due].sort());
    expect(told[0]?.events[0]).toMatchObject({ type: 'report.due' });
  });

  it('heartbeats and cron jobs of the configuration are schedules of the owner of their agent', async () => {
    const listed = await waitFor(
      async () => {
        const { schedules } = await call(triggers.listSchedules, { all: true }, operator());
        return schedules.filter(({ origin }) => origin === 'config').length === 2 ? schedules : undefined;
      },
      { what: 'the schedules of the configuration' },
    );
    expect(listed.filter(({ origin }) => origin === 'config').map(({ id, owner }) => [id, owner])).toEqual([
      ['cron:daily', 'eve'],
      ['heartbeat:main', 'eve'],
    ]);
    expect(await call(triggers.runSchedule, { id: 'heartbeat:main' }, operator())).toMatchObject({ state: 'fired' });
    const run = await waitFor(() => routing.accepted.find(({ user }) => user === 'eve'), { what: 'the heartbeat' });
    expect(run).toMatchObject({ sessionKey: 'agent:main:main', message: 'Heartbeat: look whether anything needs your attention.' });
    run.answer = 'Nothing to do.';
  });

  it('routing says which agents there are', async () => {
    const agent = (agentId: string) => ({ name: 'a', everyMs: 86_400_000, enabled: false, action: { kind: 'agent' as const, message: 'x', agentId } });
    const refused = { code: 'INVALID_REQUEST', details: { agentId: 'ghost' } };
    await expect(call(triggers.createSchedule, agent('ghost'), mesh.user('zoe'))).rejects.toMatchObject(refused);
    for (const scopes of [[SCOPES.read], [SCOPES.write]]) {
      const changing = call(triggers.updateDispatchRule, { id: 'x', enabled: true }, mesh.user('zoe', { scopes }));
      await expect(changing).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    }
    await expect(call(triggers.updateDispatchRule, { id: 'x', enabled: true }, operator())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const rule = { name: 'x', match: {}, research: { message: 'x', agentId: 'ghost' }, enabled: false };
    await expect(call(triggers.saveDispatchRule, rule, operator())).rejects.toMatchObject(refused);
    await expect(call(triggers.dispatchResearch, { query: 'x', agentId: 'ghost' }, mesh.user('zoe'))).rejects.toMatchObject(refused);
    await expect(call(triggers.dispatchAndNotify, { query: 'x', agentId: 'ghost' }, mesh.user('zoe', { role: 'vm' }))).rejects.toMatchObject(refused);
    const { schedule } = await call(triggers.createSchedule, agent(' MAIN '), mesh.user('zoe'));
    expect(schedule.action).toMatchObject({ agentId: 'main' });
    await call(triggers.removeSchedule, { id: schedule.id }, mesh.user('zoe'));
  });

  it('everything may be asked by whom it is for, and by nobody else', async () => {
    const notice = { summary: 'Hello' };
    const draft = { name: 'x', everyMs: 86_400_000, action: { kind: 'notify' as const, summary: 'x' } };
    const rule = { name: 'x', match: {}, research: { message: 'x' } };
    const callers = {
      nobody: mesh.user('zoe', { scopes: [] }),
      reader: mesh.user('zoe', { scopes: [SCOPES.read] }),
      writer: mesh.user('zoe'),
      vm: mesh.user('zoe', { role: 'vm' }),
      operator: operator(),
    };
    const attempts = {
      notify: (who: { principal: Principal }) => call(triggers.notifyUser, notice, who),
      'notify another': (who: { principal: Principal }) => call(triggers.notifyUser, { ...notice, user: 'other' }, who),
      schedule: (who: { principal: Principal }) => call(triggers.createSchedule, draft, who),
      'schedule for another': (who: { principal: Principal }) => call(triggers.createSchedule, { ...draft, owner: 'other' }, who),
      'list schedules': (who: { principal: Principal }) => call(triggers.listSchedules, {}, who),
      'list all': (who: { principal: Principal }) => call(triggers.listSchedules, { all: true }, who),
      'save a rule': (who: { principal: Principal }) => call(triggers.saveDispatchRule, { ...rule, id: 'rul_x', enabled: false }, who),
      'list rules': (who: { principal: Principal }) => call(triggers.listDispatchRules, {}, who),
      'list runs': (who: { principal: Principal }) => call(triggers.dispatchRuns, {}, who),
    };
    const outcome = async (attempt: Promise<unknown>) =>
      attempt.then(
        () => 'ok',
        (error: { code: string }) => error.code,
      );
    const matrix: Record<string, Record<string, string>> = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      matrix[name] = {};
      for (const [who, caller] of Object.entries(callers)) matrix[name][who] = await outcome(attempt(caller));
    }
    const denied = (rest: object) => ({ nobody: 'MISSING_SCOPE', reader: 'MISSING_SCOPE', writer: 'MISSING_SCOPE', vm: 'FORBIDDEN', operator: 'ok', ...rest });
    expect(matrix).toEqual({
      notify: denied({ writer: 'ok', vm: 'ok' }),
      'notify another': denied({ writer: 'FORBIDDEN' }),
      schedule: denied({ writer: 'ok' }),
      'schedule for another': denied({ writer: 'FORBIDDEN' }),
      'list schedules': denied({ reader: 'ok', writer: 'ok' }),
      'list all': denied({ reader: 'FORBIDDEN', writer: 'FORBIDDEN' }),
      'save a rule': denied({}),
      'list rules': denied({}),
      'list runs': denied({ reader: 'ok', writer: 'ok', vm: 'ok' }),
    });
    expect((await items('zoe', 1))[0]).toMatchObject({ title: 'Hello' });
  });
});
