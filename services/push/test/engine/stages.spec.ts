import { PushPolicy } from '@plexus/contracts';
import { createEngine } from '../../src/domain/engine/engine.js';
import type { LogBody } from '../../src/domain/engine/types.js';
import { LIMITS, SEEN_IN_STATE } from '../../src/domain/engine/user-state.js';
import { eventOf, hitOf, Scenario, T0 } from '../support/scenario.js';

const critical = { severity: 'critical' } as const;
const times = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('critical events', () => {
  it('beyond twenty in a minute come as one message, sixty seconds after the oldest', () => {
    const s = new Scenario();
    for (const t of times(25)) s.event(t, `e${t}`, critical);
    s.until(1_000);
    expect(s.interrupts.slice(0, 20)).toEqual(times(20).map((t) => `single@${t}`));
    expect(s.interrupts.slice(20)).toEqual(['storm5@60']);
    expect(s.decisions.filter(({ reason }) => reason === 'critical_storm').map(({ until }) => s.seconds(until ?? 0))).toEqual([60, 60, 60, 60, 60]);
  });

  it('in a storm come as their message also when as much waits as may wait', () => {
    const s = new Scenario({ throttle: [{ n: 1, perSeconds: 3_600 }], storm: { count: 2 } });
    for (const n of times(LIMITS.parked + 1)) s.event(0, `m${n}`);
    for (const t of times(5)) s.event(1 + t, `e${t}`, critical);
    s.until(100);
    expect(s.interrupts).toEqual(['single@0', 'single@1', 'single@2', 'storm3@61']);
  });

  it('that are resolved in time are not in the storm, and not escalated', () => {
    const s = new Scenario({ storm: { count: 1 }, escalation: { afterSeconds: [300] } });
    for (const t of times(3)) s.event(t, `e${t}`, { ...critical, dedupKey: `k${t}`, state: 'firing' });
    for (const t of [0, 1]) s.event(10 + t, `r${t}`, { dedupKey: `k${t}`, state: 'resolved' });
    s.until(1_000);
    expect(s.interrupts).toEqual(['single@0', 'single@60', 'escalation1@360']);
    expect([s.endings('e1'), s.endings('r0'), s.endings('r1')]).toEqual([['resolved_before_send'], ['resolved'], ['resolved_before_send']]);
  });

  it('are acknowledged by acknowledging an escalation, or by being done with', () => {
    const policy = { escalation: { afterSeconds: [10, 20, 30] } };
    const s = new Scenario(policy).event(0, 'e', critical).until(15);
    s.say(16, 'ack', { deliveryId: s.sends[1]?.deliveryId as string, by: 'ada' }).until(1_000);
    expect(s.interrupts).toEqual(['single@0', 'escalation1@10']);
    const done = (state: 'read' | 'done') => new Scenario(policy).event(0, 'e', critical).say(5, 'read', { deliveryIds: [], upTo: 1, state }).until(1_000);
    expect([done('read').interrupts.length, done('done').interrupts.length]).toEqual([4, 1]);
  });
});

describe('a silence', () => {
  const over = (from: number, to: number, rest: object = {}) => ({
    id: 'sil_1',
    matchers: [{ label: 'case', op: '=' as const, value: '7' }],
    from: T0 + from * 1_000,
    to: T0 + to * 1_000,
    includeCritical: false,
    removed: false,
    ...rest,
  });
  const grouped = { group: [{ mode: 'trailing' as const, windowSeconds: 60 }] };

  it('that is made while something waits covers it; what it does not cover, or what falls due at its end, goes out', () => {
    for (const whose of ['ada', '_']) {
      const s = new Scenario(grouped).event(0, 'a', { caseId: '7' }).event(1, 'b', { caseId: '8' });
      s.say(2, 'silence', over(2, 600), whose).until(1_000);
      expect([s.interrupts, s.endings('a'), s.endings('b')]).toEqual([['single@60'], ['silenced'], ['sent']]);
      expect(s.decisions.find(({ reason }) => reason === 'silenced')).toMatchObject({
        verdict: 'suppressed',
        trace: [{}, {}, { stage: 'silence', rule: 'sil_1' }],
      });
    }
    const ended = new Scenario(grouped).event(0, 'a', { caseId: '7' }).say(2, 'silence', over(2, 60)).until(1_000);
    expect(ended.endings('a')).toEqual(['sent']);
    const lifted = new Scenario(grouped).event(0, 'a', { caseId: '7' }).say(2, 'silence', over(2, 600)).say(3, 'silence', over(2, 3)).until(1_000);
    expect(lifted.endings('a')).toEqual(['sent']);
    const shown = new Scenario({ ...grouped, showSuppressed: ['silenced'] }).event(0, 'a', { caseId: '7' }).say(2, 'silence', over(2, 600)).until(1_000);
    expect([shown.interrupts, shown.sends.length, shown.endings('a')]).toEqual([[], 1, ['silenced']]);
  });

  it('of critical things passes over the levels of an escalation and the channels that fall due in it, and no others', () => {
    const policy = {
      escalation: { afterSeconds: [10, 20, 30] },
      channels: [{ plan: [{ channel: 'session' }, { channel: 'email', afterUnseenSeconds: 15 }, { channel: 'webhook', afterUnseenSeconds: 25 }] }],
    };
    const alarm = { severity: 'critical' as const, caseId: '7' };
    const s = new Scenario(policy)
      .event(0, 'e', alarm)
      .say(5, 'silence', over(5, 20, { includeCritical: true }))
      .until(1_000);
    expect([s.interrupts, s.channels]).toEqual([['single@0', 'escalation1@20', 'escalation1@30'], ['webhook@25']]);
    const levels = s.decisions
      .filter(({ eventKey }) => eventKey.startsWith('esc:'))
      .map(({ reason, verdict, trace }) => [reason, verdict, trace.at(-1)?.stage]);
    expect(levels).toEqual([
      ['silenced', 'suppressed', 'silence'],
      ['escalated', 'sent', 'follow_up'],
      ['escalated', 'sent', 'follow_up'],
    ]);
    const loud = new Scenario(policy).event(0, 'e', alarm).say(5, 'silence', over(5, 20)).until(1_000);
    expect([loud.interrupts.length, loud.channels]).toEqual([4, ['email@15', 'webhook@25']]);
  });
});

describe('what is resolved', () => {
  it('without having fired, or before it was sent, is no message', () => {
    const s = new Scenario({ group: [{ mode: 'trailing', windowSeconds: 60 }] });
    s.event(0, 'ghost', { state: 'resolved', dedupKey: 'x' })
      .event(1, 'a', { state: 'firing', dedupKey: 'k' })
      .event(2, 'b', { state: 'resolved', dedupKey: 'k' })
      .until(1_000);
    expect([s.interrupts, s.endings('ghost'), s.endings('a'), s.endings('b')]).toEqual([
      [],
      ['resolve_without_firing'],
      ['resolved_before_send'],
      ['resolved_before_send'],
    ]);
  });

  it('ends for somebody who muted it meanwhile, and for whom a resolve would be too little', () => {
    const s = new Scenario({ inhibit: [{ source: { severities: ['high'] }, target: { severities: ['medium'] }, equal: ['case'] }] });
    s.event(0, 'a', { severity: 'high', state: 'firing', dedupKey: 'k' });
    s.say(1, 'preference', { version: 1, preferences: [{ id: 'm', match: { types: ['x'] }, channel: '*', value: 'off' }] });
    s.event(2, 'b', { severity: 'low', type: 'x', state: 'resolved', dedupKey: 'k', hits: [{ minSeverity: 'high' }] }).event(3, 'c');
    expect([s.endings('b'), s.endings('c')]).toEqual([['resolved'], ['sent']]);
  });
});

describe('rules of a policy', () => {
  it('may hold a target for a source that still comes', () => {
    const policy = {
      inhibit: [{ source: { severities: ['high' as const] }, target: { severities: ['medium' as const] }, equal: ['case' as const], holdSeconds: 30 }],
    };
    const s = new Scenario(policy)
      .event(0, 'a', { caseId: '7' })
      .event(10, 'source', { severity: 'high', state: 'firing', caseId: '7' })
      .event(11, 'b', { caseId: '8' })
      .until(100);
    expect(s.interrupts).toEqual(['single@10', 'single@41']);
    expect([s.endings('a'), s.endings('b')]).toEqual([['inhibited'], ['sent']]);
  });

  it('inhibit only what has exactly the same labels, missing ones included, and never the source itself', () => {
    const any = { severities: ['medium' as const] };
    const s = new Scenario({ inhibit: [{ source: any, target: any, equal: ['case'] }] });
    s.event(0, 'source', { state: 'firing', dedupKey: 'k' })
      .event(1, 'case', { caseId: '7' })
      .event(2, 'none')
      .event(3, 'again', { state: 'firing', dedupKey: 'k' });
    s.event(700, 'later', { state: 'firing', dedupKey: 'k' });
    expect(['source', 'case', 'none', 'again', 'later'].map((id) => s.endings(id)[0])).toEqual(['sent', 'sent', 'inhibited', 'collapsed', 'sent']);
  });

  it('let what falls due at the same moment go in the order of its names', () => {
    const s = new Scenario({ throttle: [{ n: 1, perSeconds: 600 }], group: [{ mode: 'trailing', windowSeconds: 60 }] });
    s.event(0, 'b', { type: 'b' }).event(0, 'a', { type: 'a' }).until(10_000);
    expect(s.sends.map(({ at, events }) => [events[0]?.id, s.seconds(at)])).toEqual([
      ['a', 60],
      ['b', 660],
    ]);
  });

  it('count a digest for every limit that is about any of its events', () => {
    const s = new Scenario({
      throttle: [{ match: { types: ['b'] }, n: 1, perSeconds: 600 }],
      group: [{ match: { case: '7' }, by: 'user', mode: 'trailing', windowSeconds: 60 }],
    });
    s.event(0, 'a', { type: 'a', caseId: '7' })
      .event(1, 'b', { type: 'b', caseId: '7' })
      .event(61, 'b2', { type: 'b' })
      .event(62, 'a2', { type: 'a' })
      .until(10_000);
    expect(s.interrupts).toEqual(['digest2@60', 'single@62', 'single@660']);
  });

  it('keep a flood of one agent to one message, and let what is critical through', () => {
    const s = new Scenario({ sourceBudgetPerHour: 2 });
    for (const t of times(6)) s.event(t, `e${t}`, { agent: 'run-1', ...(t === 4 ? critical : {}) });
    s.event(6, 'other', { agent: 'run-2' }).until(10_000);
    expect(s.interrupts).toEqual(['single@0', 'single@1', 'single@4', 'single@6', 'source_budget3@3600']);
  });

  it('show in the inbox what they keep back, if they say so', () => {
    const s = new Scenario({ showSuppressed: ['collapsed'] }).event(0, 'a', { dedupKey: 'k' }).event(1, 'b', { dedupKey: 'k' });
    expect(s.sends.map(({ interrupt }) => interrupt)).toEqual([true, false]);
    expect(s.decisions[1]).toMatchObject({ verdict: 'inbox', reason: 'collapsed' });
  });

  it('do not let one publisher collapse what another says under the same key', () => {
    const s = new Scenario().event(0, 'a', { dedupKey: 'k' }).event(1, 'b', { dedupKey: 'k', origin: 'stranger' });
    expect(s.reasons).toEqual({ sent: 2 });
  });

  it('group as they did when a group was opened, and limit as they do now', () => {
    const s = new Scenario({ group: [{ mode: 'trailing', windowSeconds: 60 }] }).event(0, 'a').event(1, 'b');
    s.policy(2, { throttle: [{ n: 1, perSeconds: 600 }] }, 2)
      .event(3, 'c')
      .until(10_000);
    expect(s.interrupts).toEqual(['single@3', 'digest2@603']);
  });

  it('leave what is blocked by one limit behind, and send what is not', () => {
    const s = new Scenario({ throttle: [{ match: { types: ['a'] }, n: 1, perSeconds: 600 }], group: [{ by: 'user', mode: 'trailing', windowSeconds: 60 }] });
    s.event(0, 'a0', { type: 'a' }).event(60, 'a1', { type: 'a' }).event(61, 'b1', { type: 'b' }).until(10_000);
    expect(s.sends.map(({ at, events }) => [s.seconds(at), events.map(({ id }) => id)])).toEqual([
      [60, ['a0']],
      [120, ['b1']],
      [660, ['a1']],
    ]);
  });

  it('give subscribers who want a digest one in an hour', () => {
    const hits = [{ level: 'digest' as const }];
    const s = new Scenario()
      .event(0, 'a', { hits })
      .event(1_800, 'b', { hits })
      .event(1_900, 'c', { hits, ...critical })
      .until(10_000);
    expect(s.interrupts).toEqual(['single@1900', 'digest2@3600']);
  });

  it('plan channels, of which the user may refuse one', () => {
    const s = new Scenario({ channels: [{ plan: [{ channel: 'email' }, { channel: 'webpush' }, { channel: 'email', afterUnseenSeconds: 60 }] }] });
    s.event(0, 'a')
      .say(1, 'preference', { version: 1, preferences: [{ id: 'no', match: {}, channel: 'email', value: 'off' }] })
      .event(2, 'b')
      .until(1_000);
    expect(s.sends.map(({ channels }) => channels)).toEqual([['email', 'webpush'], ['webpush']]);
    expect(s.channels).toEqual([]);
    const twice = new Scenario({ channels: [{ plan: [{ channel: 'email' }, { channel: 'email', afterUnseenSeconds: 60 }] }] }).event(0, 'a').until(1_000);
    expect(twice.outcomes.flatMap(({ channels }) => channels.map(({ level }) => level))).toEqual([1]);
  });
});

describe('who may see what', () => {
  it('needs a grant for every restricted case and topic, until it ends', () => {
    const s = new Scenario();
    const topic = (change: 'restricted' | 'unrestricted') => ({ scopeKind: 'topic' as const, scopeRef: 't', change });
    s.say(0, 'grant', topic('restricted'), '_').event(1, 'a', { topics: ['open', 't'] });
    s.say(2, 'grant', { scopeKind: 'topic', scopeRef: 't', change: 'granted', until: s.start + 10_000 })
      .event(9.999, 'b', { topics: ['t'] })
      .event(10, 'c', { topics: ['t'] });
    s.say(11, 'grant', { scopeKind: 'topic', scopeRef: 't', change: 'revoked' })
      .say(12, 'grant', topic('unrestricted'), '_')
      .event(13, 'd', { topics: ['t'] });
    expect(['a', 'b', 'c', 'd'].map((id) => s.endings(id)[0])).toEqual(['not_authorized', 'sent', 'not_authorized', 'sent']);
  });

  it('lets nobody back in whose grant was taken before the scope was opened and restricted again', () => {
    const s = new Scenario();
    const about = (change: 'granted' | 'revoked' | 'restricted' | 'unrestricted') => ({ scopeKind: 'case' as const, scopeRef: '7', change });
    s.say(0, 'grant', about('restricted'), '_').say(1, 'grant', about('granted')).say(2, 'grant', about('revoked'));
    s.say(3, 'grant', about('unrestricted'), '_').event(4, 'open', { caseId: '7' });
    s.say(5, 'grant', about('restricted'), '_').event(6, 'closed', { caseId: '7' });
    s.say(7, 'grant', about('granted')).event(8, 'granted', { caseId: '7' });
    expect(['open', 'closed', 'granted'].map((id) => s.endings(id)[0])).toEqual(['sent', 'not_authorized', 'sent']);
  });

  it('does not receive over a later channel what is forbidden by then', () => {
    const s = new Scenario({ channels: [{ plan: [{ channel: 'email', afterUnseenSeconds: 60 }] }] }).event(0, 'a', { caseId: '7' });
    s.say(10, 'grant', { scopeKind: 'case', scopeRef: '7', change: 'revoked' }).until(1_000);
    expect(s.channels).toEqual([]);
  });
});

describe('a state', () => {
  const engine = createEngine();
  const shared = {
    ...engine.emptyShared(),
    policy: { version: 1, body: PushPolicy.parse({ name: 'p', group: [{ mode: 'trailing', windowSeconds: 3_600, maxItems: 1_000 }] }) },
  };
  const feed = (count: number, data?: unknown) => {
    let state = engine.emptyUser('epoch');
    const outcomes = times(count).map((n) => {
      const event = eventOf(`e${n}`, { type: `t${n % 3}`, ...(data === undefined ? {} : { data }) });
      const body: LogBody = { kind: 'candidate', data: { event, hits: [hitOf()], score: 1 } };
      const outcome = engine.reduce(state, { ...body, id: `i${n}`, tenant: 'acme', user: 'ada', seq: n, at: T0 + n }, shared);
      state = outcome.state;
      return outcome;
    });
    return { state, outcomes };
  };

  it('is bounded: what waits beyond the bound goes to the inbox, and nothing is lost', () => {
    const { state, outcomes } = feed(LIMITS.parked + 10);
    expect(outcomes.slice(-10).every(({ decisions }) => decisions[0]?.verdict === 'inbox' && decisions[0].reason === 'group')).toBe(true);
    expect((state as unknown as { seen: unknown[] }).seen).toHaveLength(SEEN_IN_STATE);
  });

  it('keeps no large data of what waits', () => {
    expect(JSON.stringify(feed(20, { text: 'x'.repeat(10_000) }).state).length).toBeLessThan(20_000);
  });

  it('that was given is not changed, and has one timer at the next moment', () => {
    const before = engine.emptyUser('epoch');
    const text = JSON.stringify(before);
    const { outcomes } = feed(3);
    expect(outcomes.map(({ timers }) => timers.set)).toEqual([[{ timerId: 'wake', dueAt: T0 + 3_600_000 }], [], []]);
    const [first] = outcomes;
    const frozen = JSON.stringify(first?.state);
    engine.reduce(
      first?.state ?? before,
      { kind: 'timer', data: { timerId: 'wake', dueAt: T0 + 9_000_000 }, id: 'w', tenant: 'acme', user: 'ada', seq: 9, at: T0 },
      shared,
    );
    expect([JSON.stringify(first?.state), JSON.stringify(before)]).toEqual([frozen, text]);
  });

  it('sets its timer again when it went off too early', () => {
    const { state } = feed(1);
    const timer = { kind: 'timer', data: { timerId: 'wake', dueAt: T0 + 1 }, id: 'w', tenant: 'acme', user: 'ada', seq: 9, at: T0 + 1 } as const;
    expect(engine.reduce(state, timer, shared).timers.set).toEqual([{ timerId: 'wake', dueAt: T0 + 3_600_000 }]);
  });

  it('believes the host, who knows what was seen longer ago than it remembers', () => {
    const body: LogBody = { kind: 'candidate', data: { event: eventOf('e'), hits: [hitOf()], score: 1 } };
    const outcome = engine.reduce(engine.emptyUser('epoch'), { ...body, id: 'i', tenant: 'acme', user: 'ada', seq: 1, at: T0 }, shared, { seen: true });
    expect(outcome.decisions[0]?.reason).toBe('duplicate_event');
  });
});
