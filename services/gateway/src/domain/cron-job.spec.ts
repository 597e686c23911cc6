import { CronJobInput } from '@plexus/client-protocol';
import { pushTriggersContracts } from '@plexus/contracts';
import { actionOf, changedAction, jobOf, timingOf } from './cron-job.js';

const place = { agentId: 'main', mainKey: 'main' };
const job = (rest: object = {}) =>
  CronJobInput.parse({
    name: 'look',
    schedule: { kind: 'cron', expr: '0 9 * * 1', tz: 'Europe/Berlin' },
    sessionTarget: 'isolated',
    payload: { kind: 'agentTurn', message: 'Look around', timeoutSeconds: 120 },
    ...rest,
  });

/** The schedule that a job becomes, as push would answer it. */
function scheduleOf(input: CronJobInput): pushTriggersContracts.Schedule {
  const data = pushTriggersContracts.createSchedule.data.parse({ name: input.name, ...timingOf(input.schedule), action: actionOf(input, place) });
  const { id: _id, owner: _owner, ...rest } = data;
  return pushTriggersContracts.Schedule.parse({
    ...rest,
    id: 'sch_1',
    owner: 'me',
    origin: 'user',
    createdAt: '2026-11-21T10:00:00Z',
    nextAt: '2026-11-23T08:00:00Z',
  });
}

describe('jobs of the client protocol', () => {
  it.each([
    ['a pattern in a zone', { kind: 'cron', expr: '0 9 * * 1', tz: 'Europe/Berlin' }],
    ['an interval', { kind: 'every', everyMs: 60_000 }],
    ['one moment', { kind: 'at', at: '2026-11-23T08:00:00.000Z' }],
  ])('%s comes back as it was given', (_what, schedule) => {
    expect(jobOf(scheduleOf(job({ schedule })))).toMatchObject({
      schedule,
      sessionTarget: 'isolated',
      payload: { kind: 'agentTurn', message: 'Look around', timeoutSeconds: 120 },
      state: { nextRunAtMs: Date.parse('2026-11-23T08:00:00Z') },
    });
  });

  it.each([
    ['2026-11-23T08:00', '2026-11-23T08:00:00.000Z'],
    ['2026-11-23T08:00:00+01:00', '2026-11-23T07:00:00.000Z'],
    ['2026-11-23', '2026-11-23T00:00:00.000Z'],
    ['1795420800000', '2026-11-23T08:00:00.000Z'],
  ])('the moment %s is %s, in UTC where it names no offset', (at, expected) => {
    expect(timingOf({ kind: 'at', at })).toEqual({ at: expected });
  });

  it.each([
    ['tomorrow', { kind: 'at', at: 'tomorrow' }],
    ['a day that does not exist', { kind: 'at', at: '2026-13-01T00:00:00Z' }],
    ['a year beyond four digits', { kind: 'at', at: '99999999999999999' }],
    ['the end of a program', { kind: 'on-exit' }],
  ])('refuses %s', (_what, schedule) => {
    expect(() => timingOf(schedule as CronJobInput['schedule'])).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });

  it('keep in a change what the change does not name', () => {
    const before = actionOf(job({ sessionTarget: 'session:agent:main:x', agentId: 'ops' }), place);
    const payload = { kind: 'agentTurn' as const, message: 'Look again' };
    expect(changedAction(before, {}, place)).toBeUndefined();
    expect(changedAction(before, { payload }, place)).toEqual({
      kind: 'agent',
      agentId: 'ops',
      sessionKey: 'agent:main:x',
      message: 'Look again',
      timeoutMs: 120_000,
    });
    expect(changedAction(before, { sessionTarget: 'isolated' }, place)).toEqual({ kind: 'agent', agentId: 'ops', message: 'Look around', timeoutMs: 120_000 });
    expect(changedAction({ kind: 'notify', summary: 'x' }, { payload }, place)).toEqual({ kind: 'agent', agentId: 'main', message: 'Look again' });
    expect(() => changedAction({ kind: 'notify', summary: 'x' }, { sessionTarget: 'main' }, place)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    );
  });

  it('speak in the session that they name', () => {
    const sessionOf = (rest: object) => (actionOf(job(rest), place) as { sessionKey?: string }).sessionKey;
    expect([sessionOf({}), sessionOf({ sessionTarget: 'main' }), sessionOf({ sessionTarget: 'session:agent:main:x' })]).toEqual([
      undefined,
      'agent:main:main',
      'agent:main:x',
    ]);
    expect(() => actionOf(job({ payload: { kind: 'command' } }), place)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });
});
