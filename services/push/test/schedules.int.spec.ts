import { parseTenantConfig } from '@plexus/agent-config';
import { pushTriggersContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { wantedSchedules } from '../src/application/triggers/config-schedules.js';
import { openTriggers, type TriggerReplica, type Triggers } from './support/triggers-on-postgres.js';

const MINUTE = 60_000;

describe('schedules over two replicas', () => {
  let triggers: Triggers;
  let one: TriggerReplica;
  let two: TriggerReplica;
  let tenants = 0;
  let tenant: string;

  beforeAll(async () => {
    triggers = await openTriggers();
    [one, two] = [triggers.replica(), triggers.replica()];
  });
  afterAll(() => triggers?.close());
  beforeEach(() => {
    tenants += 1;
    tenant = `t${tenants}`;
  });
  // Whatever a test leaves due would fire in the next one.
  afterEach(() => triggers.database.query('test_no_schedules', 'DELETE FROM schedule'));

  const ann = () => ({ tenant, user: 'ann', all: false });
  const operator = () => ({ tenant, user: 'root', all: true });
  const draft = (rest: object) =>
    pushTriggersContracts.createSchedule.data.parse({ name: 'n', everyMs: MINUTE, action: { kind: 'event', summary: 'due' }, ...rest });
  const create = async (rest: object = {}) => (await one.schedules.create(ann(), draft(rest))).schedule;
  /** Both look at the same time, until neither finds anything. */
  const bothFire = async () => {
    for (let more = true; more; ) more = (await Promise.all([one.fire.step(), two.fire.step()])).includes(true);
  };

  it('each due time fires exactly once, whoever looks first', async () => {
    // More than one batch.
    const { id: first } = await create();
    const copies = `
      INSERT INTO schedule (t, id, user_id, name, every_ms, tz, action, catch_up, catch_up_max, enabled, origin, next_at, created_at)
      SELECT t, 'copy-' || n, user_id, name, every_ms, tz, action, catch_up, catch_up_max, enabled, origin, next_at, created_at
        FROM schedule, generate_series(1, 59) AS n WHERE t = $1 AND id = $2 RETURNING id`;
    const ids = [first, ...(await triggers.database.query<{ id: string }>('test_copies', copies, [tenant, first])).map(({ id }) => id)];
    for (let round = 0; round < 2; round += 1) {
      await triggers.clock.advance(MINUTE);
      await bothFire();
    }
    const fired = await triggers.outbox(tenant);
    expect(fired).toHaveLength(ids.length * 2);
    expect(new Set(fired.map(({ event }) => event.id)).size).toBe(ids.length * 2);
    expect(fired[0]?.subject).toMatch(new RegExp(`^plexus\\.in\\.${tenant}\\.push\\.schedule-fired\\.v1\\.`));
    expect((await one.schedules.runs(ann(), ids[0] as string, 10)).map(({ trigger, state }) => [trigger, state])).toEqual(Array(2).fill(['due', 'fired']));
  });

  it('a replica that dies while it fires leaves it to the other one', async () => {
    await create();
    await triggers.clock.advance(MINUTE);
    one.dieBeforeCommit = true;
    void one.fire.step();
    // It dies with whatever it has claimed; only then the other one looks.
    await waitFor(() => !one.dieBeforeCommit, { what: 'the death of the first replica' });
    for (let sent = 0; sent === 0; ) {
      await two.fire.step();
      sent = (await triggers.outbox(tenant)).length;
    }
    await bothFire();
    expect(await triggers.outbox(tenant)).toHaveLength(1);
  });

  it('skips what was missed, or catches up as it is told, and keeps a record', async () => {
    const [skips, latest, all] = [
      await create({ everyMs: 10 * MINUTE }),
      await create({ everyMs: 10 * MINUTE, catchUp: { mode: 'latest' } }),
      await create({ everyMs: 10 * MINUTE, catchUp: { mode: 'all', max: 3 } }),
    ];
    await triggers.clock.advance(65 * MINUTE);
    await bothFire();
    const runs = async (id: string) => (await one.schedules.runs(ann(), id, 20)).map(({ trigger, state }) => `${trigger} ${state}`);
    expect(await runs(skips.id)).toEqual(['due skipped']);
    expect(await runs(latest.id)).toEqual(['caught_up fired', 'due skipped']);
    expect(await runs(all.id)).toEqual(['caught_up fired', 'caught_up fired', 'caught_up fired', 'due skipped']);
    await bothFire();
    expect(await triggers.outbox(tenant)).toHaveLength(4);
  });

  it('states an event of a chosen type, notifies its owner, or wakes an agent, one run at a time', async () => {
    await create({ action: { kind: 'event', type: 'report.due', summary: 'Report', caseId: 'case-7', severity: 'high', data: { week: 47 } } });
    await create({ action: { kind: 'notify', summary: 'Stand up' } });
    const agent = await create({ action: { kind: 'agent', message: 'Look around' } });
    await triggers.clock.advance(MINUTE);
    await bothFire();
    const sent = await triggers.outbox(tenant);
    const event = sent.find(({ subject }) => subject.startsWith('plexus.in.'))?.event;
    expect(event).toMatchObject({ type: 'report.due', severity: 'high', data: { summary: 'Report', caseId: 'case-7', week: 47 } });
    const notice = sent.find(({ subject }) => subject.startsWith('plexus.log.'));
    expect(notice?.subject.endsWith('.ann')).toBe(true);
    expect(notice?.event.data).toMatchObject({
      event: { summary: 'Stand up', origin: 'push' },
      hits: [{ subscriptionId: 'direct', method: 'rule', scopeKind: 'all' }],
    });

    await Promise.all([one.advance.step(), two.advance.step()]);
    const [run] = triggers.agents.started.filter(({ owner }) => owner.tenant === tenant);
    expect(run).toMatchObject({ owner: { tenant, user: 'ann' }, task: { message: 'Look around', sessionKey: `cron:${agent.id}` } });
    await triggers.clock.advance(MINUTE);
    await bothFire();
    expect((await one.schedules.runs(ann(), agent.id, 5)).map(({ state, reason }) => [state, reason])).toEqual([
      ['skipped', 'the run before has not ended'],
      ['fired', undefined],
    ]);
    triggers.agents.end(run?.runId as string, 'All quiet');
    await triggers.clock.advance(MINUTE - 1);
    await one.advance.step();
    await triggers.clock.advance(1);
    await bothFire();
    expect((await one.schedules.runs(ann(), agent.id, 5))[0]).toMatchObject({ state: 'fired' });
  });

  it('one whose event cannot be published holds up nobody else', async () => {
    const strange = { kind: 'event', summary: 'Odd', data: { caseId: 5 } };
    await expect(one.schedules.create(ann(), draft({ action: strange }))).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    // One that an earlier release accepted.
    const odd = await create();
    const next = await create();
    await triggers.database.query('test_odd', 'UPDATE schedule SET action = $1::json WHERE t = $2 AND id = $3', [JSON.stringify(strange), tenant, odd.id]);
    await triggers.clock.advance(MINUTE);
    await bothFire();
    const [run] = await one.schedules.runs(ann(), odd.id, 5);
    expect(run).toMatchObject({ state: 'skipped', reason: expect.stringContaining('cannot be published') });
    expect(await one.schedules.runs(ann(), next.id, 5)).toMatchObject([{ state: 'fired' }]);
    expect(await one.schedules.runNow(ann(), odd.id)).toMatchObject({ state: 'skipped' });
  });

  it('a moment fires once and never again, however late it is looked at', async () => {
    const moment = (afterMs: number) => ({ everyMs: undefined, at: new Date(triggers.clock.now() + afterMs).toISOString() });
    for (const wrong of [moment(0), { ...moment(MINUTE), everyMs: MINUTE }, { ...moment(MINUTE), cron: '* * * * *' }])
      await expect(create(wrong)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    const once = await create({ ...moment(MINUTE), action: { kind: 'notify', summary: 'Once' } });
    const agent = await create({ ...moment(MINUTE), action: { kind: 'agent', message: 'Look' } });
    await one.schedules.runNow(ann(), agent.id);
    // The only replica was away for a day: a single moment is made up for.
    await triggers.clock.advance(24 * 60 * MINUTE);
    await bothFire();
    expect(await one.schedules.runs(ann(), once.id, 5)).toMatchObject([{ state: 'fired', trigger: 'caught_up', dueAt: once.at }]);
    expect((await one.schedules.runs(ann(), agent.id, 5)).map(({ state, trigger }) => [state, trigger])).toEqual([
      ['fired', 'caught_up'],
      ['fired', 'manual'],
    ]);
    await triggers.clock.advance(24 * 60 * MINUTE);
    await bothFire();
    expect(await one.schedules.runs(ann(), once.id, 5)).toHaveLength(1);
    const [kept] = (await one.schedules.list(ann(), { all: false, limit: 10 })).schedules.filter(({ id }) => id === once.id);
    expect(kept).toMatchObject({ enabled: false, at: once.at });
    expect(kept).not.toHaveProperty('nextAt');
    // It may be renamed, and given another moment or a pattern; only its past one cannot come again.
    expect(await one.schedules.update(ann(), { id: once.id, name: 'renamed' })).toMatchObject({ name: 'renamed', enabled: false });
    await expect(one.schedules.update(ann(), { id: once.id, enabled: true })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    const again = await one.schedules.update(ann(), { id: once.id, at: moment(MINUTE).at, enabled: true });
    expect(again.nextAt).toBe(again.at);
    expect(await one.schedules.update(ann(), { id: once.id, everyMs: MINUTE })).not.toHaveProperty('at');
  });

  it('two changes at once keep both, and what was removed meanwhile stays so', async () => {
    const { id } = await create();
    await Promise.all([one.schedules.update(ann(), { id, name: 'renamed' }), two.schedules.update(ann(), { id, everyMs: 2 * MINUTE })]);
    expect((await one.schedules.list(ann(), { all: false, limit: 10 })).schedules).toMatchObject([{ name: 'renamed', everyMs: 2 * MINUTE }]);
    const [, removed] = await Promise.all([one.schedules.update(ann(), { id, name: 'again' }).catch(() => undefined), two.schedules.remove(ann(), id)]);
    expect([removed, (await one.schedules.list(ann(), { all: false, limit: 10 })).schedules]).toEqual([true, []]);
  });

  it('counts its changes: a repeat is none, and one that was made for an older version is refused', async () => {
    const made = await create();
    expect(made.version).toBe(1);
    const change = (rest: object) => one.schedules.update(ann(), pushTriggersContracts.updateSchedule.data.parse({ id: made.id, ...rest }));
    const renamed = await change({ name: 'renamed', baseVersion: 1 });
    expect(renamed).toMatchObject({ version: 2, nextAt: made.nextAt });
    expect(await change({ name: 'renamed', baseVersion: 1 })).toEqual(renamed);
    await expect(change({ name: 'other', baseVersion: 1 })).rejects.toMatchObject({ code: 'CONFLICT', details: { version: 2 } });
    await triggers.clock.advance(MINUTE);
    await bothFire();
    // Firing is no change of what people said.
    expect(await change({ enabled: false, baseVersion: 2 })).toMatchObject({ version: 3, enabled: false });
  });

  it('is changed, fired and removed by its owner and by operators only', async () => {
    const { id } = await create();
    const ben = { tenant, user: 'ben', all: false };
    const elsewhere = { tenant: 'elsewhere', user: 'ann', all: true };
    for (const stranger of [ben, elsewhere]) {
      await expect(one.schedules.update(stranger, { id, enabled: false })).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(one.schedules.runNow(stranger, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(one.schedules.runs(stranger, id, 5)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(await one.schedules.remove(stranger, id)).toBe(false);
    }
    await expect(one.schedules.create(ben, draft({ owner: 'ann' }))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(one.schedules.create(ben, draft({ id }))).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(one.schedules.list(ben, { all: true, limit: 10 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await one.schedules.list(ben, { all: false, limit: 10 })).schedules).toEqual([]);
    expect(await one.schedules.runNow(operator(), id)).toMatchObject({ state: 'fired', trigger: 'manual' });
    expect(await one.schedules.update(operator(), { id, enabled: false })).not.toHaveProperty('nextAt');
    await triggers.clock.advance(2 * MINUTE);
    await bothFire();
    expect(await triggers.outbox(tenant)).toHaveLength(1);
    expect((await one.schedules.list(operator(), { all: true, limit: 10 })).schedules).toMatchObject([{ id, owner: 'ann', enabled: false }]);
    expect(await one.schedules.remove(ann(), id)).toBe(true);
  });

  it('refuses an agent that nobody configured, also while it rests; a known one is kept as routing writes it', async () => {
    const agent = (rest: object) => ({ action: { kind: 'agent', message: 'Look', ...rest } });
    const refused = { code: 'INVALID_REQUEST', details: { agentId: 'ghost', issues: [expect.objectContaining({ path: '/action/agentId' })] } };
    for (const enabled of [true, false]) await expect(create({ ...agent({ agentId: 'ghost' }), enabled })).rejects.toMatchObject(refused);
    await expect(create(agent({ sessionKey: 'agent:Ghost:main' }))).rejects.toMatchObject({ code: 'INVALID_REQUEST', details: { agentId: 'Ghost' } });
    await expect(create(agent({ agentId: 'main', sessionKey: 'agent:scout:x' }))).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    expect((await one.schedules.list(ann(), { all: false, limit: 10 })).schedules).toEqual([]);

    const { id, action } = await create(agent({ agentId: ' Scout ', sessionKey: 'agent:SCOUT:x' }));
    expect(action).toMatchObject({ agentId: 'scout' });
    const change = (rest: object) => one.schedules.update(ann(), pushTriggersContracts.updateSchedule.data.parse({ id, ...rest }));
    await expect(change(agent({ agentId: 'ghost' }))).rejects.toMatchObject(refused);
    expect(await change(agent({ agentId: 'MAIN' }))).toMatchObject({ action: { agentId: 'main' } });
    await expect(one.schedules.update({ ...ann(), user: 'ben' }, { id, ...agent({ agentId: 'ghost' }) } as never)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    // Its agent is removed meanwhile: it can be renamed while it rests, and runs again only with an agent that is there.
    await change({ ...agent({ agentId: 'gone' }), enabled: false });
    triggers.agents.configured.delete('gone');
    expect(await change({ name: 'renamed' })).toMatchObject({ name: 'renamed', enabled: false });
    await expect(change({ enabled: true })).rejects.toMatchObject({ code: 'INVALID_REQUEST', details: { agentId: 'gone' } });
    expect(await change({ ...agent({ agentId: 'scout' }), enabled: true })).toMatchObject({ enabled: true });
    triggers.agents.configured.add('gone');
  });

  it('refuses timings that are none', async () => {
    for (const timing of [
      { cron: '61 * * * *' },
      { cron: '0 0 30 2 *' },
      { cron: '* * * * *', everyMs: MINUTE },
      { timeZone: 'Moon/Crater' },
      { everyMs: undefined },
    ]) {
      const wanted = draft(timing);
      const { everyMs, ...rest } = wanted;
      const request =
        'cron' in timing && !('everyMs' in timing) ? { ...rest, cron: timing.cron as string } : { ...rest, ...(everyMs === undefined ? {} : { everyMs }) };
      await expect(one.schedules.create(ann(), request)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });

  it('cron jobs and heartbeats of the configuration are schedules, changed only there', async () => {
    const configOf = (document: object) => {
      const parsed = parseTenantConfig(document);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
      return wantedSchedules(tenant, parsed.value, triggers.clock.now());
    };
    const jobs = [{ id: 'daily', cron: '0 9 * * *', timeZone: 'Europe/Berlin', message: 'Report' }];
    const first = { agents: { list: [{ id: 'main', owner: 'eve', heartbeat: { everyMs: 30_000 } }] }, cron: { jobs } };
    expect(await one.configured.reconcile(tenant, 7, configOf(first))).toEqual({ changed: 2, removed: 0 });
    const { schedules } = await one.schedules.list(operator(), { all: true, limit: 10 });
    expect(schedules).toMatchObject([
      { id: 'cron:daily', owner: 'eve', origin: 'config', action: { message: 'Report', sessionKey: 'cron:daily' } },
      { id: 'heartbeat:main', owner: 'eve', action: { sessionKey: 'main' } },
    ]);
    await expect(one.schedules.update(operator(), { id: 'cron:daily', enabled: false })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(one.schedules.create(ann(), draft({ id: 'cron:mine' }))).rejects.toMatchObject({ code: 'INVALID_REQUEST' });

    // A newer document without the job; then a replica that is behind says what was before.
    expect(await two.configured.reconcile(tenant, 8, configOf({ agents: first.agents }))).toMatchObject({ removed: 1 });
    const [heartbeat] = (await one.schedules.list(operator(), { all: true, limit: 10 })).schedules;
    await triggers.clock.advance(1_000);
    expect(await one.configured.reconcile(tenant, 8, configOf({ agents: first.agents }))).toEqual({ changed: 1, removed: 0 });
    expect((await one.schedules.list(operator(), { all: true, limit: 10 })).schedules).toMatchObject([{ id: 'heartbeat:main', nextAt: heartbeat?.nextAt }]);
    expect(await one.configured.reconcile(tenant, Number.MAX_SAFE_INTEGER, [])).toEqual({ changed: 0, removed: 1 });
  });

  it('nothing fires for a tenant that was removed; the record says so, and it goes on when the tenant is back', async () => {
    const { id } = await create();
    triggers.gone.add(tenant);
    await triggers.clock.advance(MINUTE);
    await bothFire();
    expect(await triggers.outbox(tenant)).toEqual([]);
    triggers.gone.delete(tenant);
    await triggers.clock.advance(MINUTE);
    await bothFire();
    expect(await triggers.outbox(tenant)).toHaveLength(1);
    const runs = await one.schedules.runs(ann(), id, 10);
    expect(runs.map(({ state, reason }) => [state, reason])).toEqual([
      ['fired', undefined],
      ['skipped', 'its tenant does not exist'],
    ]);
  });

  it('a single moment of a tenant that is away waits for it, instead of being used up', async () => {
    const { id } = await create({ everyMs: undefined, at: new Date(triggers.clock.now() + MINUTE).toISOString() });
    triggers.gone.add(tenant);
    await triggers.clock.advance(MINUTE);
    await bothFire();
    expect(await one.schedules.runs(ann(), id, 5)).toEqual([]);
    triggers.gone.delete(tenant);
    await triggers.clock.advance(2 * MINUTE);
    await bothFire();
    await bothFire();
    expect(await triggers.outbox(tenant)).toHaveLength(1);
    expect(await one.schedules.runs(ann(), id, 5)).toMatchObject([{ state: 'fired' }]);
  });
});
