import { NO_TENANT, PushPolicy, type PushPolicyText } from '@plexus/contracts';
import { systemClock } from '@plexus/kernel';
import { createEngine } from '../../domain/engine/engine.js';
import type { LogBody, LogInput } from '../../domain/engine/types.js';
import { partitionOf } from '../../domain/partition.js';
import { compareRuns } from '../../domain/replay/compare.js';
import type { LogReader } from '../read-log.js';
import { ReplayLog, type ReplayLimits, type ReplayRequest, type StandingFacts } from './replay-log.js';

const T0 = Date.parse('2026-01-05T10:00:00Z');
const HOUR = 3_600_000;
const LIMITS: ReplayLimits = { inputs: 1_000_000, held: 1_000_000, ms: 60_000 };

/** A log in memory that gives what is asked for, and remembers what was. */
class MemoryLog implements LogReader {
  readonly inputs: LogInput[] = [];
  readonly asked: number[][] = [];
  readonly endless: boolean;

  constructor(endless = false) {
    this.endless = endless;
  }

  add(user: string, seconds: number, body: LogBody, id = `${this.inputs.length}`): void {
    this.inputs.push({ ...body, id, tenant: 'acme', user, seq: this.inputs.length + 1, at: T0 + seconds * 1_000 });
  }

  event(user: string, seconds: number, id: string, rest: { severity?: 'critical' | 'medium'; dedupKey?: string; state?: 'firing'; type?: string } = {}): void {
    const event = {
      key: id,
      origin: 'crm',
      source: '/crm',
      id,
      type: 'happened',
      subject: 's',
      severity: 'medium' as const,
      occurredAt: new Date(T0).toISOString(),
    };
    const hit = {
      subscriptionId: 'sub',
      version: 1,
      scopeKind: 'all' as const,
      scopeRef: '',
      minSeverity: 'low' as const,
      level: 'all' as const,
      method: 'rule' as const,
      score: 1,
    };
    this.add(user, seconds, {
      kind: 'candidate',
      data: { event: { ...event, entities: [], regions: [], topics: [], caseId: 'c', ...rest }, hits: [hit], score: 1 },
    });
  }

  async *read({ users, from = 0, to = Number.POSITIVE_INFINITY, parts }: Parameters<LogReader['read']>[0]): AsyncIterable<LogInput> {
    this.asked.push([...(parts ?? [])]);
    const wanted = this.inputs
      .filter(({ at }) => at >= from && at < to)
      .filter(({ user }) => user === NO_TENANT || users === undefined || users.includes(user))
      .filter(({ user }) => user === NO_TENANT || parts === undefined || parts.includes(partitionOf('acme', user)));
    for (let turn = 0; turn === 0 || this.endless; turn += 1) yield* wanted;
  }
}

const policy = (version: number, text: Omit<PushPolicyText, 'name'>) => ({ version, body: PushPolicy.parse({ name: `p${version}`, ...text }) });
const standing: StandingFacts = async () => ({ facts: [], assumptions: [] });
const request = (before: Omit<PushPolicyText, 'name'>, after: Omit<PushPolicyText, 'name'>, rest: Partial<ReplayRequest> = {}): ReplayRequest => ({
  tenant: 'acme',
  before: policy(1, before),
  after: policy(2, after),
  warmUpFrom: T0 - HOUR,
  from: T0,
  to: T0 + 4 * HOUR,
  ...rest,
});
const replayOf = (log: LogReader, facts = standing) => new ReplayLog(log, createEngine(), compareRuns, facts, systemClock);
const run = (log: LogReader, asked: ReplayRequest, limits: Partial<ReplayLimits> = {}, facts = standing) =>
  replayOf(log, facts).run(asked, { ...LIMITS, ...limits }, new AbortController().signal);

const throttled = { throttle: [{ n: 1, perSeconds: 36_000 }] };
const inhibiting = { inhibit: [{ source: { types: ['down'] }, target: { types: ['noise'] }, equal: ['case' as const] }] };

describe('a replay of the log', () => {
  it('finds what would be sent beside, what no more, and what at another time', async () => {
    const log = new MemoryLog();
    for (const [place, id] of ['a', 'b'].entries()) log.event('ann', place, id);
    log.event('ben', 5, 'c');

    const { result: less } = await run(log, request({}, throttled));
    expect(less).toMatchObject({ added: 0, removed: 1, moved: 0, unchanged: 2, interrupts: { before: 3, after: 2 }, criticalRegressionCount: 0 });
    expect(less.examples.removed).toMatchObject([{ user: 'ann', event: { id: 'b' }, before: { verdict: 'sent', policyVersion: 1 } }]);

    const { result: more } = await run(log, request(throttled, {}));
    expect(more).toMatchObject({ added: 1, removed: 0, moved: 0 });

    const { result: later, mentions } = await run(log, request({}, { group: [{ mode: 'trailing', windowSeconds: 60 }] }));
    expect(later).toMatchObject({ added: 0, removed: 0, moved: 3, interrupts: { before: 3, after: 2 } });
    expect([...mentions].sort()).toEqual(['ann', 'ben']);
    expect(later.volume.find(({ min }) => min === 1)).toMatchObject({ before: 1, after: 2 });
  });

  it('lists critical events that would be sent later or not at all', async () => {
    const log = new MemoryLog();
    log.event('ann', 0, 'down', { type: 'down', severity: 'critical', state: 'firing', dedupKey: 'd' });
    log.event('ann', 1, 'noise', { type: 'noise', severity: 'critical' });
    const { result } = await run(log, request({}, inhibiting));
    expect(result.criticalRegressionCount).toBe(1);
    expect(result.criticalRegressions).toMatchObject([{ user: 'ann', event: { id: 'noise' }, after: { reason: 'inhibited', policyVersion: 2 } }]);
    expect((await run(log, request(inhibiting, {}))).result.criticalRegressionCount).toBe(0);
  });

  it('is the same for equal policies, whatever the log says of activations', async () => {
    const log = new MemoryLog();
    log.add(NO_TENANT, 0, { kind: 'policy', data: { version: 9, body: PushPolicy.parse({ name: 'old', ...throttled }) } });
    for (let place = 0; place < 20; place += 1) log.event(`user-${place % 5}`, place, `e${place}`);
    const { result } = await run(log, request({}, {}));
    expect(result).toMatchObject({ added: 0, removed: 0, moved: 0, unchanged: 20, coverage: { complete: true, partitions: 64, users: 5, inputs: 21 } });
  });

  it('begins with the state that an earlier stretch left, and counts nothing of it', async () => {
    const log = new MemoryLog();
    log.event('ann', -600, 'before');
    log.event('ann', 10, 'after');
    const warm = await run(log, request(throttled, throttled));
    // The one interruption of ten hours was used before the window began.
    expect(warm.result).toMatchObject({ interrupts: { before: 0, after: 0 }, unchanged: 0 });
    const cold = await run(log, request(throttled, throttled, { warmUpFrom: T0 }));
    expect(cold.result).toMatchObject({ interrupts: { before: 1, after: 1 }, unchanged: 1 });
    expect(warm.result.coverage.assumptions.join(' ')).toMatch(/before 2026-01-05T09:00:00.000Z is known/);
  });

  it('knows what people said before the stretch and never changed', async () => {
    const log = new MemoryLog();
    log.event('ann', 10, 'a');
    const off: LogBody = { kind: 'preference', data: { version: 1, preferences: [{ id: 'off', match: {}, channel: '*', value: 'off' }] } };
    const facts: StandingFacts = async (tenant, at) => ({
      facts: [{ ...off, id: 'standing', tenant, user: 'ann', seq: 0, at }],
      assumptions: ['as they stand'],
    });
    const { result } = await run(log, request({}, {}), {}, facts);
    expect(result).toMatchObject({ interrupts: { before: 0, after: 0 }, reasons: { before: { opted_out: 1 } } });
    expect(result.coverage.assumptions).toContain('as they stand');
  });

  it('takes partitions in smaller groups when more is decided than may be held, with the same result', async () => {
    const log = new MemoryLog();
    for (let place = 0; place < 300; place += 1) log.event(`user-${place % 60}`, place, `e${place}`);
    const whole = await run(log, request({}, throttled));
    const small = new MemoryLog();
    small.inputs.push(...log.inputs);
    const halves = await run(small, request({}, throttled), { held: 100 });
    expect(small.asked.length).toBeGreaterThan(2);
    const { examples: _whole, ...counts } = whole.result;
    const { examples: _halves, ...others } = halves.result;
    expect(others).toEqual(counts);
  });

  it('holds no more of a single user than it may, and says that it covers a part', async () => {
    const log = new MemoryLog();
    for (let place = 0; place < 300; place += 1) log.event('ann', place, `e${place}`);
    log.event('ben', 0, 'b');
    const { result } = await run(log, request({}, {}), { held: 50 });
    expect(result.coverage).toMatchObject({ complete: false, users: 2, partitions: 63 });
    expect(result.interrupts.before).toBeLessThan(110);
  });

  it('reads only the partitions of the users that are asked about', async () => {
    const log = new MemoryLog();
    log.event('ann', 0, 'a');
    log.event('ben', 0, 'b');
    const { result } = await run(log, request({}, {}, { users: ['ann'] }));
    expect(result.coverage).toMatchObject({ users: 1, inputs: 1 });
    expect(log.asked).toEqual([[partitionOf('acme', 'ann')]]);
  });

  it('says that it covers a part when a limit is reached, and ends when it is told to', async () => {
    const log = new MemoryLog();
    for (let place = 0; place < 50; place += 1) log.event('ann', place, `e${place}`);
    const { result } = await run(log, request({}, throttled), { inputs: 10 });
    expect(result.coverage).toMatchObject({ complete: false, inputs: 10, partitions: 0 });

    const endless = new MemoryLog(true);
    endless.inputs.push(...log.inputs);
    const stop = new AbortController();
    const running = replayOf(endless).run(request({}, {}), LIMITS, stop.signal, ({ inputs }) => (inputs >= 400 ? stop.abort(new Error('enough')) : undefined));
    await expect(running).rejects.toThrow('enough');
  });
});
