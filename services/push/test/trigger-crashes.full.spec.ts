import path from 'node:path';
import { pushContracts, pushTriggersContracts as triggers, SCOPES } from '@plexus/contracts';
import type { RunningService } from '@plexus/service-kit';
import { createTestDatabase, type TestDatabase, waitFor } from '@plexus/testing';
import { PushProcess, startStandIn, startTestMesh, type TestMesh } from './support/mesh.js';
import { prismaFolder } from './support/push-on-postgres.js';
import { RoutingStandIn } from './support/routing-stand-in.js';

const PATIENT = { timeoutMs: 180_000 };
/** Of one test: longer than everything that it waits for together, so that what was waited for in vain is named. */
const LONG_MS = 900_000;

describe('research and schedules over processes that are killed', () => {
  let mesh: TestMesh;
  let database: TestDatabase;
  let routed: RunningService;
  let routing: RoutingStandIn;
  let processes: PushProcess[];

  beforeAll(async () => {
    mesh = await startTestMesh();
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
    routed = await startStandIn(mesh, 'routing');
    routing = new RoutingStandIn(routed);
    processes = [];
  });
  afterAll(async () => {
    await Promise.all(processes.map((one) => one.end('SIGTERM')));
    await routed?.stop('end of the test');
    await database?.drop();
    await mesh?.stop();
  });

  const start = async () => {
    const one = await PushProcess.start(mesh, database.url);
    processes.push(one);
    return one;
  };
  const operator = () => mesh.user('root', { role: 'operator', scopes: [SCOPES.admin] });
  const inbox = async () => (await mesh.gateway.call(pushContracts.fetchInbox, 'acme', { after: 0, limit: 200 }, mesh.user('root'))).items;
  const publish = (id: string) =>
    mesh.gateway.publishRaw(
      `plexus.in.acme.http.collection-done.v1.${id}`,
      Buffer.from(JSON.stringify({ specversion: '1.0', source: '/aegi', type: 'collection_done', id, data: { summary: `Collection ${id}` } })),
      { msgId: id },
    );

  it(
    'each event is researched by one run and told once, whatever dies in between',
    async () => {
      let first = await start();
      await mesh.gateway.call(
        triggers.saveDispatchRule,
        'acme',
        { name: 'c', match: { types: ['collection_done'] }, research: { message: '{{summary}}' } },
        operator(),
      );
      const ids = Array.from({ length: 12 }, (_, n) => `c${n}`);
      for (const id of ids) {
        await publish(id);
        if (id === 'c3' || id === 'c7') {
          await first.end('SIGKILL');
          first = await start();
        }
      }
      // Killed while the agents work, and again while their answers are told.
      await waitFor(() => routing.accepted.length >= 6, { what: 'half of the runs', ...PATIENT });
      await first.end('SIGKILL');
      for (const run of routing.accepted) run.answer = 'Found.';
      first = await start();
      await waitFor(async () => (await inbox()).length >= 3, { what: 'the first notifications', ...PATIENT });
      await first.end('SIGKILL');
      await start();
      await waitFor(
        async () => {
          for (const run of routing.accepted) run.answer ??= 'Found.';
          return (await inbox()).length >= ids.length;
        },
        { what: 'every notification', ...PATIENT },
      );
      const { runs } = await mesh.gateway.call(triggers.dispatchRuns, 'acme', { limit: 200 }, operator());
      expect(runs.map(({ state }) => state)).toEqual(ids.map(() => 'done'));
      expect(routing.accepted).toHaveLength(ids.length);
      expect((await inbox()).map(({ title }) => title).sort()).toEqual(ids.map((id) => `Collection ${id}: Found.`).sort());
    },
    LONG_MS,
  );

  it(
    'each due time of a schedule fires once, whoever of two processes is killed',
    async () => {
      await start();
      const action = { kind: 'notify' as const, summary: 'Tick' };
      const catchUp = { mode: 'all' as const, max: 100 };
      const { schedule } = await mesh.gateway.call(triggers.createSchedule, 'acme', { name: 'tick', everyMs: 1_000, action, catchUp }, operator());
      const ticks = async () => (await mesh.gateway.call(triggers.scheduleRuns, 'acme', { id: schedule.id, limit: 200 }, operator())).runs;
      for (let kills = 1; kills <= 3; kills += 1) {
        await waitFor(async () => (await ticks()).length >= kills * 3, { what: 'ticks', ...PATIENT });
        await processes.at(-2)?.end('SIGKILL');
        await start();
      }
      await mesh.gateway.call(triggers.updateSchedule, 'acme', { id: schedule.id, enabled: false }, operator());
      const due = (await ticks()).map(({ dueAt }) => Date.parse(dueAt)).sort((a, b) => a - b);
      // Without a gap: what nobody looked at in time was caught up.
      expect(due).toEqual(due.map((_, n) => (due[0] as number) + n * 1_000));
      await waitFor(async () => (await inbox()).filter(({ title }) => title === 'Tick').length >= due.length, { what: 'a notification per tick', ...PATIENT });
      expect((await inbox()).filter(({ title }) => title === 'Tick')).toHaveLength(due.length);
    },
    LONG_MS,
  );
});
