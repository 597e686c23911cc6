import { plexusError, pushTriggersContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import { PersonEraser } from '../src/adapters/postgres/person-eraser.js';
import type { LogEvent } from '../src/domain/engine/types.js';
import { openTriggers, type TriggerReplica, type Triggers } from './support/triggers-on-postgres.js';

const MINUTE = 60_000;

describe('research, then a notification', () => {
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
  afterEach(() => triggers.database.query('test_no_runs', 'DELETE FROM dispatch_run'));

  const root = () => ({ tenant, user: 'root', forOthers: true });
  const ann = () => ({ tenant, user: 'ann', forOthers: false });
  const save = (rest: object = {}) => {
    const rule = { name: 'collections', match: { types: ['*collection_done'] }, research: { message: 'What is new? {{summary}}' }, ...rest };
    return one.dispatching.save(root(), pushTriggersContracts.saveDispatchRule.data.parse(rule));
  };
  const event = (key: string, rest: Partial<LogEvent> = {}): LogEvent => ({
    key,
    origin: 'aegi',
    source: '/aegi',
    id: key,
    type: 'aegi.collection_done',
    subject: 'c1',
    severity: 'high',
    occurredAt: '2026-11-21T10:00:00.000Z',
    summary: 'Collection about Aurora is complete',
    caseId: 'case-7',
    entities: [],
    regions: [],
    topics: ['vessels'],
    ...rest,
  });
  const happens = (key: string, agent?: string) => one.tap.onEvent({ tenant, event: event(key), ...(agent === undefined ? {} : { agent }) });
  const runs = () => one.dispatching.runs(root(), { all: true, limit: 50 });
  const started = () => triggers.agents.started.filter(({ owner }) => owner.tenant === tenant);
  const told = async () =>
    (await triggers.outbox(tenant)).map(({ subject, event: { data } }) => ({
      to: subject.split('.').at(-1),
      ...(data as unknown as { event: LogEvent; agent?: string }),
    }));
  /** Both replicas look at everything that is due within the next minute. */
  const bothLook = async () => {
    await triggers.clock.advance(MINUTE);
    await Promise.all([one.advance.step(), two.advance.step()]);
  };

  it('an event starts one run of an agent, and its answer is told once', async () => {
    await save();
    await Promise.all([happens('e1'), two.tap.onEvent({ tenant, event: event('e1') })]);
    await happens('e1');
    await bothLook();
    expect(started()).toMatchObject([{ owner: { user: 'root' }, task: { message: 'What is new? Collection about Aurora is complete' } }]);
    expect(await told()).toEqual([]);
    const runId = started()[0]?.runId as string;
    triggers.agents.end(runId, 'Three new sources.\nDetails follow.');
    await bothLook();
    await bothLook();
    expect(await told()).toMatchObject([
      {
        to: 'root',
        agent: runId,
        event: {
          summary: 'Collection about Aurora is complete: Three new sources.',
          severity: 'high',
          caseId: 'case-7',
          topics: ['vessels'],
          data: { text: 'Three new sources.\nDetails follow.' },
        },
      },
    ]);
    expect(await runs()).toMatchObject([{ state: 'done', depth: 1, kind: 'rule' }]);
  });

  it('goes on where a replica died, at every step, without a second run or a second notification', async () => {
    await save();
    one.dieBeforeCommit = true;
    void happens('e2');
    await two.tap.onEvent({ tenant, event: event('e2') });
    await waitFor(() => !one.dieBeforeCommit, { what: 'the death of the first replica' });
    expect(await runs()).toHaveLength(1);
    // It dies after the agent was started, before that is written down.
    triggers.agents.failures.push('dies');
    void one.advance.step();
    await waitFor(() => started().length > 0, { what: 'the start of the run' });
    await bothLook();
    expect([started().length, (await runs())[0]?.state]).toEqual([1, 'researching']);
    // It dies while it writes the end.
    triggers.agents.end(started()[0]?.runId as string, 'Found.');
    await triggers.clock.advance(MINUTE);
    one.dieBeforeCommit = true;
    void one.advance.step();
    await waitFor(() => !one.dieBeforeCommit, { what: 'its death' });
    expect(await told()).toEqual([]);
    await bothLook();
    await bothLook();
    expect([started().length, (await told()).length, (await runs())[0]?.state]).toEqual([1, 1, 'done']);
  });

  it('tells several people, or everybody who follows what the event was about', async () => {
    await save({ id: 'named', notify: { to: ['ann', 'ben'], severity: 'low' } });
    await save({ id: 'followers', notify: { to: 'followers' } });
    await happens('e3');
    await bothLook();
    for (const { runId } of started()) triggers.agents.end(runId, 'Found.');
    await bothLook();
    const sent = await triggers.outbox(tenant);
    expect(
      sent
        .filter(({ subject }) => subject.startsWith('plexus.log.'))
        .map(({ subject }) => subject.split('.').at(-1))
        .sort(),
    ).toEqual(['ann', 'ben']);
    const [stated] = sent.filter(({ subject }) => subject.startsWith(`plexus.in.${tenant}.push.research-finished.v1.`));
    expect(stated?.event).toMatchObject({
      severity: 'high',
      agent: expect.any(String),
      data: { caseId: 'case-7', topics: ['vessels'], ruleId: 'followers', status: 'done' },
    });
  });

  it('tells of a failure where that is wanted, and waits out what may pass', async () => {
    await save({ id: 'told', research: { message: 'x', agentId: 'gone' } });
    await save({ id: 'silent', notify: { onFailure: false }, match: { types: ['other'] } });
    triggers.agents.failures.push(plexusError('NO_RESPONDERS'), plexusError('NOT_FOUND', { message: 'No such agent is configured.' }));
    await happens('e4');
    await bothLook();
    expect(await runs()).toMatchObject([{ state: 'pending', attempts: 1 }]);
    await bothLook();
    expect(await runs()).toMatchObject([{ state: 'failed', error: { code: 'NOT_FOUND' } }]);
    expect(await told()).toMatchObject([{ to: 'root', event: { summary: 'Collection about Aurora is complete: the research failed (NOT_FOUND)' } }]);
    await one.tap.onEvent({ tenant, event: event('e5', { type: 'other' }) });
    triggers.agents.failures.push(plexusError('NOT_FOUND'));
    await bothLook();
    expect([(await told()).length, (await runs())[0]?.state]).toEqual([1, 'failed']);
  });

  it('ends a run that takes too long, and cancels the agent', async () => {
    await save({ research: { message: 'x', timeoutMs: 2 * MINUTE } });
    await happens('e6');
    await bothLook();
    await bothLook();
    await bothLook();
    expect(await runs()).toMatchObject([{ state: 'failed', error: { code: 'RUN_TIMEOUT' } }]);
    expect(triggers.agents.cancelled).toContain(started()[0]?.runId);
    expect(await told()).toHaveLength(1);
  });

  it('keeps to its budget, and ends loops of agents that cause events', async () => {
    await save({ maxPerHour: 2 });
    for (const key of ['a', 'b', 'c', 'd']) await happens(key);
    expect((await one.dispatching.rules(tenant))[0]?.refused).toBe(2);
    expect(await runs()).toHaveLength(2);
    await triggers.clock.advance(61 * MINUTE);
    await save({ id: 'loop', match: { types: ['loop'] } });
    let agent: string | undefined;
    for (let round = 0; round < 5; round += 1) {
      const before = started().length;
      await one.tap.onEvent({ tenant, event: event(`loop-${round}`, { type: 'loop' }), ...(agent === undefined ? {} : { agent }) });
      await bothLook();
      const next = started()
        .slice(before)
        .find(({ task }) => task.message.startsWith('What is new'));
      agent = next?.runId ?? agent;
    }
    const depths = (await one.dispatching.runs(root(), { all: true, sourceId: 'loop', limit: 50 })).map(({ depth }) => depth).sort();
    expect(depths).toEqual([1, 2, 3]);
  });

  it('keeps to its budget when events come at the same time, and a repeated event is not counted as refused', async () => {
    await save({ maxPerHour: 2 });
    const taps = [one.tap, two.tap];
    await Promise.all(Array.from({ length: 8 }, (_, n) => taps[n % 2]?.onEvent({ tenant, event: event(`at-once-${n}`) })));
    expect([(await runs()).length, (await one.dispatching.rules(tenant))[0]?.refused]).toEqual([2, 6]);
    const [known] = await triggers.database.query<{ dedup_key: string }>('test_known', 'SELECT dedup_key FROM dispatch_run WHERE t = $1 LIMIT 1', [tenant]);
    await happens(known?.dedup_key as string);
    expect([(await runs()).length, (await one.dispatching.rules(tenant))[0]?.refused]).toEqual([2, 6]);
  });

  it('tells followers also of an event whose names are empty', async () => {
    await save({ notify: { to: 'followers' } });
    await one.tap.onEvent({ tenant, event: event('nameless', { caseId: '', topics: ['', 'vessels'], regions: [''] }) });
    await bothLook();
    triggers.agents.end(started()[0]?.runId as string, 'Found.');
    await bothLook();
    expect((await runs())[0]).toMatchObject({ state: 'done' });
    const [sent] = await triggers.outbox(tenant);
    expect(sent?.event.data).toMatchObject({ topics: ['vessels'], regions: [], status: 'done' });
    expect(sent?.event.data).not.toHaveProperty('caseId');
  });

  it('agents and people research by a call; a repeated key is the same run, for another request a conflict', async () => {
    const request = pushTriggersContracts.dispatchResearch.data.parse({ query: 'Who owns Aurora?', idempotencyKey: 'k' });
    const runId = await one.tools.research(ann(), request);
    expect(await two.tools.research(ann(), request)).toBe(runId);
    await expect(one.tools.research(ann(), { ...request, query: 'Who owns Borealis?' })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await one.tools.research({ ...ann(), user: 'ben' }, request)).not.toBe(runId);
    await bothLook();
    triggers.agents.end(runId, 'A company in Malta.');
    await bothLook();
    expect(await one.dispatching.run(ann(), runId)).toMatchObject({ state: 'done', result: 'A company in Malta.' });
    await expect(one.dispatching.run({ ...ann(), user: 'ben' }, runId)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(one.dispatching.run({ ...ann(), tenant: 'elsewhere', forOthers: true }, runId)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    expect(await told()).toEqual([]);
    for (let n = 1; n < 60; n += 1) await one.tools.research(ann(), { ...request, idempotencyKey: `k${n}` });
    await expect(one.tools.research(ann(), { ...request, idempotencyKey: 'one too many' })).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(await one.tools.research(ann(), request)).toBe(runId);
  });

  it('an agent that nobody configured is refused where it is named: by rules, also those that rest, and by calls', async () => {
    const refused = (path: string) => ({ code: 'INVALID_REQUEST', details: { agentId: 'ghost', issues: [expect.objectContaining({ path })] } });
    for (const enabled of [true, false]) {
      await expect(save({ research: { message: 'x', agentId: 'ghost' }, enabled })).rejects.toMatchObject(refused('/research/agentId'));
    }
    expect(await one.dispatching.rules(tenant)).toEqual([]);
    expect((await save({ research: { message: 'x', agentId: ' Scout ' } })).rule.research).toMatchObject({ agentId: 'scout' });
    const request = pushTriggersContracts.dispatchResearch.data.parse({ query: 'Who?', agentId: 'ghost', idempotencyKey: 'k' });
    await expect(one.tools.research(ann(), request)).rejects.toMatchObject(refused('/agentId'));
    const runId = await one.tools.research(ann(), { ...request, agentId: 'SCOUT' });
    // However it is written, it is the same request.
    expect(await one.tools.research(ann(), { ...request, agentId: 'scout ' })).toBe(runId);
    expect((await runs()).map(({ task }) => task.agentId)).toEqual(['scout']);
  });

  it('a rule is changed field by field; a repeat changes nothing, what was said on an older version is refused, and so is nonsense', async () => {
    const { rule } = await save({ id: 'edited', maxPerHour: 7, notify: { to: ['ann'] } });
    const update = (rest: object) => one.dispatching.update(tenant, pushTriggersContracts.updateDispatchRule.data.parse({ id: 'edited', ...rest }));
    const off = await update({ enabled: false, baseVersion: 1 });
    expect(off).toEqual({ ...rule, enabled: false, version: 2 });
    expect(await update({ enabled: false, baseVersion: 1 })).toEqual(off);
    await expect(update({ name: 'late', baseVersion: 1 })).rejects.toMatchObject({ code: 'CONFLICT', details: { version: 2 } });
    await happens('while it rests');
    expect(await runs()).toEqual([]);
    await expect(update({ research: { message: 'x', agentId: 'ghost' } })).rejects.toMatchObject({ code: 'INVALID_REQUEST', details: { agentId: 'ghost' } });
    const changed = await update({ enabled: true, notify: { to: 'followers' }, research: { message: 'Look', agentId: 'Scout' } });
    expect(changed).toMatchObject({ version: 3, maxPerHour: 7, notify: { to: 'followers' }, research: { message: 'Look', agentId: 'scout' } });
    await happens('again');
    expect(await runs()).toMatchObject([{ task: { message: 'Look' } }]);
    await expect(one.dispatching.update(tenant, { id: 'nobody', enabled: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(one.dispatching.update('elsewhere', { id: 'edited', enabled: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('notifies the caller, and others only for who may speak for others', async () => {
    const notice = pushTriggersContracts.notifyUser.data.parse({ summary: 'Done', agentRunId: 'run-1', idempotencyKey: 'once' });
    const { eventId, user } = await one.tools.notify(ann(), notice);
    expect([user, await two.tools.notify(ann(), notice)]).toEqual(['ann', { eventId, user }]);
    await expect(one.tools.notify(ann(), { ...notice, user: 'ben' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(one.tools.notify({ tenant, forOthers: true }, notice)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await one.tools.notify(root(), { ...notice, user: 'ben' })).toMatchObject({ user: 'ben' });
    const sent = await told();
    expect(sent.map(({ to, agent, event: { id } }) => [to, agent, id === eventId])).toEqual([
      ['ann', 'run-1', true],
      ['ben', 'run-1', false],
    ]);
  });

  it('forgets a person: schedules, runs, rules, and where others named it', async () => {
    await save({ id: 'of-ann', owner: 'ann' });
    await save({ id: 'only-ann', notify: { to: ['ann'] } });
    await save({ id: 'ann-and-ben', notify: { to: ['ann', 'ben'] } });
    await one.schedules.create(
      { ...ann(), all: false },
      pushTriggersContracts.createSchedule.data.parse({ name: 's', everyMs: MINUTE, action: { kind: 'notify', summary: 'x' } }),
    );
    await happens('e7');
    const receipts: object[] = [];
    const eraser = new PersonEraser(
      triggers.database,
      (_tenant, erasureId, _user, counts) => {
        receipts.push(counts);
        return { subject: 'plexus.evt.x.user.erased.v1.e', msgId: `${tenant}:${erasureId}`, body: Buffer.from('{}') };
      },
      () => undefined,
      () => [],
    );
    await eraser.erase(tenant, 'ann', 'erasure');
    expect(receipts[0]).toMatchObject({ schedule: 1, dispatch_rule: 1, dispatch_run: 1 });
    expect((await one.dispatching.rules(tenant)).map(({ id, notify }) => [id, notify.to])).toEqual([['ann-and-ben', ['ben']]]);
    expect((await runs()).map(({ recipients }) => recipients).sort()).toEqual([[], ['ben']]);
  });
});
