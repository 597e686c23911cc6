import { Scenario } from '../support/scenario.js';

const critical = { severity: 'critical' } as const;
const case7 = { caseId: 'case-7' };
const case8 = { caseId: 'case-8' };
const seconds = (count: number, step = 1) => Array.from({ length: count }, (_, n) => n * step);

describe('what users are promised', () => {
  it('1: what is over the limit comes as one digest when the limit allows it', () => {
    const s = new Scenario({ throttle: [{ n: 3, perSeconds: 3_600 }] });
    for (const t of seconds(8, 60)) s.event(t, `e${t}`);
    s.until(10_000);
    expect(s.interrupts).toEqual(['single@0', 'single@60', 'single@120', 'digest5@3600']);
    expect(s.sends[3]?.events.map(({ id }) => id)).toEqual(['e180', 'e240', 'e300', 'e360', 'e420']);
  });

  it('2: an event that is delivered ten thousand times is sent once', () => {
    const s = new Scenario();
    for (const t of seconds(10_000, 0.01)) s.event(t, 'e');
    expect(s.interrupts).toEqual(['single@0']);
    expect(s.reasons).toEqual({ sent: 1, duplicate_event: 9_999 });
  });

  it('3: what flaps interrupts once per ten minutes', () => {
    const s = new Scenario();
    for (const t of seconds(21, 60)) s.event(t, `e${t}`, { dedupKey: 'link' });
    expect(s.interrupts).toEqual(['single@0', 'single@600', 'single@1200']);
    expect(s.reasons).toEqual({ sent: 3, collapsed: 18 });
    expect(s.edits.at(-1)).toMatchObject({ deliveryId: s.sends[1]?.deliveryId, repeats: 9 });
  });

  it('4: what gets worse is said again', () => {
    const s = new Scenario();
    for (const [t, severity] of [
      [0, 'low'],
      [60, 'low'],
      [120, 'high'],
      [180, 'medium'],
    ] as const)
      s.event(t, `e${t}`, { dedupKey: 'k', severity });
    expect(s.interrupts).toEqual(['single@0', 'single@120']);
    expect([s.endings('e60'), s.endings('e180')]).toEqual([['collapsed'], ['collapsed']]);
  });

  it('5: a leading group sends its first at once and the others a window after the last message', () => {
    const s = new Scenario({ group: [{ mode: 'leading', windowSeconds: 300 }] });
    for (const t of [0, 10, 20, 200, 310, 320, 700, 1_500]) s.event(t, `e${t}`);
    s.until(5_000);
    expect(s.interrupts).toEqual(['single@0', 'digest3@300', 'digest2@600', 'single@900', 'single@1500']);
  });

  it('6: a trailing group goes out when it is full, else when its window ends', () => {
    const s = new Scenario({ group: [{ mode: 'trailing', windowSeconds: 300, maxItems: 4 }] });
    for (const t of seconds(10, 5)) s.event(t, `e${t}`);
    s.until(5_000);
    expect(s.interrupts).toEqual(['digest4@15', 'digest4@35', 'digest2@340']);
  });

  it('7: the night is quiet but for what is critical', () => {
    const night = new Scenario({}, Date.parse('2026-11-21T22:00:00Z'));
    night.say(0, 'preference', {
      version: 1,
      preferences: [],
      quietHours: { tz: 'UTC', start: '22:00', end: '07:00', days: [0, 1, 2, 3, 4, 5, 6], bypassPriority: 'P0' },
    });
    const hour = 3_600;
    night
      .event(1.5 * hour, 'a')
      .event(2 * hour, 'b')
      .event(4 * hour, 'c', critical)
      .event(5 * hour, 'd')
      .until(20 * hour);
    expect(night.interrupts).toEqual([`single@${4 * hour}`, `digest3@${9 * hour}`]);
    expect(night.sends[0]?.events[0]?.id).toBe('c');
  });

  it('8: while a source fires its targets with the same label are inhibited, and not after its resolve', () => {
    const s = new Scenario({ inhibit: [{ source: { severities: ['critical'] }, target: { severities: ['medium'] }, equal: ['case'] }] });
    s.event(0, 'source', { ...critical, ...case7, state: 'firing', dedupKey: 'down' });
    s.event(1, 'a', case7).event(2, 'b', case8);
    s.event(50, 'over', { ...case7, severity: 'low', state: 'resolved', dedupKey: 'down' }).event(51, 'c', case7);
    expect(s.interrupts).toEqual(['single@0', 'single@2', 'single@51']);
    expect([s.endings('a'), s.endings('over')]).toEqual([['inhibited'], ['resolved']]);
    expect(s.edits).toEqual([{ deliveryId: s.sends[0]?.deliveryId, eventKey: 'key-source', resolvedAt: s.start + 50_000, at: s.start + 50_000 }]);
  });

  it('9: a silence holds from its first moment and up to, not including, its last', () => {
    const s = new Scenario();
    const silence = {
      id: 'sil_1',
      matchers: [{ label: 'case', op: '=', value: 'case-7' }],
      from: s.start,
      to: s.start + 600_000,
      includeCritical: false,
      removed: false,
    } as const;
    s.say(0, 'silence', { ...silence, matchers: [...silence.matchers] }, '_');
    s.event(0, 'a', case7)
      .event(300, 'b', { ...case7, ...critical })
      .event(599.999, 'c', case7)
      .event(600, 'd', case7);
    expect(s.interrupts).toEqual(['single@300', 'single@600']);
    expect(s.reasons).toEqual({ silenced: 2, sent: 2 });
  });

  it('10: what is critical asks for no budget and takes none', () => {
    const s = new Scenario({ throttle: [{ n: 5, perSeconds: 3_600 }] });
    for (const t of seconds(5)) s.event(t, `e${t}`);
    s.event(10, 'critical', critical).event(11, 'normal').until(10_000);
    expect(s.interrupts.slice(5)).toEqual(['single@10', 'single@3600']);
  });

  it('11: what expires while it waits is not in the digest', () => {
    const s = new Scenario({ throttle: [{ n: 1, perSeconds: 600 }] });
    s.event(0, 's0')
      .event(1, 'a', { expiresAt: s.start + 120_000 })
      .event(2, 'b')
      .until(10_000);
    expect(s.interrupts).toEqual(['single@0', 'single@600']);
    expect([s.endings('a'), s.sends[1]?.events.map(({ id }) => id)]).toEqual([['expired'], ['b']]);
  });

  it('12: what is critical and not acknowledged is escalated once per level', () => {
    const policy = { escalation: { afterSeconds: [300, 900], channels: ['email'] } };
    const alone = new Scenario(policy).event(0, 'e', critical).until(100_000);
    expect(alone.interrupts).toEqual(['single@0', 'escalation1@300', 'escalation1@900']);
    const root = alone.sends[0]?.deliveryId;
    expect(alone.sends.slice(1).map(({ escalates, channels }) => ({ escalates, channels }))).toEqual([
      { escalates: { deliveryId: root, level: 1 }, channels: ['email'] },
      { escalates: { deliveryId: root, level: 2 }, channels: ['email'] },
    ]);
    expect(alone.decisions.map(({ eventKey }) => eventKey)).toEqual(['key-e', `esc:${root}:1`, `esc:${root}:2`]);
    const answered = new Scenario(policy).event(0, 'e', critical);
    answered.say(299, 'ack', { deliveryId: root as string, by: 'ada' }).until(100_000);
    expect(answered.interrupts).toEqual(['single@0']);
  });

  it('13: a thousand progress events are thirty-five messages', () => {
    const s = new Scenario({ group: [{ mode: 'leading', windowSeconds: 900 }], throttle: [{ n: 4, perSeconds: 3_600 }] });
    for (const t of seconds(1_000, 30)) s.event(t, `e${t}`);
    s.until(100_000);
    const times = s.sends.map(({ at }) => s.seconds(at));
    expect([s.interrupts[0], s.interrupts.length, s.sends.filter(({ kind }) => kind === 'digest').length]).toEqual(['single@0', 35, 34]);
    for (const end of times) expect(times.filter((t) => t > end - 3_600 && t <= end).length).toBeLessThanOrEqual(4);
    expect(s.sends.flatMap(({ events }) => events.map(({ id }) => id))).toEqual(seconds(1_000, 30).map((t) => `e${t}`));
  });

  it('14: every decision says which stage stopped or deferred it, and by which rule', () => {
    const s = new Scenario({ throttle: [{ n: 1, perSeconds: 60 }] }).event(0, 'a').event(1, 'b').event(1, 'b').until(100);
    const last = s.decisions.map(({ event, trace }) => [event.id, trace.at(-1)?.stage, trace.at(-1)?.rule, trace.at(-1)?.verdict]);
    expect(last).toEqual([
      ['a', 'emit', 'notification', 'pass'],
      ['b', 'throttle', '1 per 60 s', 'defer'],
      ['b', 'idempotency', 'first of its identity in seven days', 'stop'],
      ['b', 'emit', 'notification', 'pass'],
    ]);
  });

  it('15: what the user says beats what the tenant says, and what is mandatory beats both', () => {
    const say = (s: Scenario) =>
      s
        .say(0, 'preference', { version: 1, preferences: [{ id: 'none', match: {}, channel: '*', value: 'off' }] }, '_')
        .say(0, 'preference', { version: 1, preferences: [{ id: 'A', match: { types: ['a'] }, channel: '*', value: 'on' }] })
        .event(1, 'a', { type: 'a' })
        .event(2, 'b', { type: 'b' });
    const s = say(new Scenario());
    expect([s.endings('a'), s.endings('b')]).toEqual([['sent'], ['opted_out']]);
    expect(say(new Scenario({ mandatory: [{ types: ['b'] }] })).endings('b')).toEqual(['sent']);
  });

  it('16: a case is muted until a moment, and no longer', () => {
    const s = new Scenario();
    const hits = [{ scopeKind: 'case', scopeRef: 'case-7', level: 'muted', mutedUntil: s.start + 3_600_000 }] as const;
    s.event(3_599, 'a', { ...case7, hits: [...hits] }).event(3_600, 'b', { ...case7, hits: [...hits] });
    expect([s.endings('a'), s.endings('b')]).toEqual([['muted'], ['sent']]);
  });

  it('17: what the user may not see any more leaves the digest', () => {
    const s = new Scenario({ group: [{ by: 'user', mode: 'trailing', windowSeconds: 300 }] });
    s.event(0, 'a', case7).event(1, 'b', case7).event(2, 'c', case8);
    s.say(100, 'grant', { scopeKind: 'case', scopeRef: 'case-7', change: 'revoked' }).until(1_000);
    expect(s.interrupts).toEqual(['single@300']);
    expect([s.endings('a'), s.endings('b'), s.endings('c')]).toEqual([['not_authorized'], ['not_authorized'], ['sent']]);
  });

  it('18: what is worth little fills the inbox without interrupting', () => {
    const s = new Scenario({ priority: { floor: 0.3 }, channels: [{ plan: [{ channel: 'email' }] }] }).event(0, 'a', { score: 0.1 });
    expect(s.interrupts).toEqual([]);
    expect(s.sends).toMatchObject([{ offset: 1, interrupt: false, priority: 'P3', channels: [] }]);
    expect(s.decisions).toMatchObject([{ verdict: 'inbox', reason: 'low_value', deliveryId: s.sends[0]?.deliveryId }]);
  });

  it('19: decisions carry the version of the policy that made them', () => {
    const s = new Scenario()
      .event(0, 'a')
      .policy(1, { priority: { floor: 0.5 } }, 2)
      .event(2, 'b', { score: 0.2 });
    expect(s.decisions.map(({ reason, policyVersion }) => [reason, policyVersion])).toEqual([
      ['sent', 1],
      ['low_value', 2],
    ]);
  });

  it('21: an item that nobody saw goes over the next channel, one that was seen does not', () => {
    const policy = { channels: [{ plan: [{ channel: 'session' }, { channel: 'webpush', afterUnseenSeconds: 120 }] }] };
    const unseen = new Scenario(policy).event(0, 'a').until(1_000);
    expect([unseen.sends[0]?.channels, unseen.channels]).toEqual([['session'], ['webpush@120']]);
    const id = unseen.sends[0]?.deliveryId as string;
    const seen = new Scenario(policy)
      .event(0, 'a')
      .say(119, 'read', { deliveryIds: [id], state: 'seen' })
      .until(1_000);
    expect(seen.channels).toEqual([]);
  });
});
