import { createEngine } from '../src/domain/engine/engine.js';
import type { Engine } from '../src/domain/engine/types.js';
import { everything, incoming, openPushDatabase, type PushDatabase, type Replica } from './support/push-on-postgres.js';

const START = Date.parse('2026-11-21T10:00:00Z');

describe('deciding on a real Postgres', () => {
  let push: PushDatabase;
  let replicas: [Replica, Replica, Replica];

  beforeAll(async () => {
    push = await openPushDatabase();
    replicas = [push.replica(), push.replica(), push.replica()];
  });
  beforeEach(() => push.reset());
  afterAll(() => push?.close());

  const offsetsOf = async (user: string) => {
    const items = await push.rows<{ inbox_offset: number }>('SELECT inbox_offset FROM inbox_item WHERE user_id = $1 ORDER BY 1', [user]);
    return items.map(({ inbox_offset }) => inbox_offset);
  };
  const oneTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

  it('an event becomes an item, a decision with its trace, a fact in the outbox and a hint', async () => {
    const [one] = replicas;
    const { subscription } = await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, { ...everything, scopeKind: 'case', scopeRef: 'case-7' });
    await expect(one.decide.execute(incoming(1, { caseId: 'case-7', summary: 'Import finished', data: { rows: 12 } }))).resolves.toEqual(['sent']);

    const page = await one.inbox.fetch({ tenant: 'acme', user: 'me' }, { after: 0, limit: 10 });
    expect(page).toMatchObject({ head: 1, unread: 1, items: [{ offset: 1, title: 'Import finished', state: 'new' }] });
    expect(page.items[0]?.reasons).toEqual([{ subscriptionId: subscription.id, method: 'rule' }]);
    expect(page.items[0]?.events[0]).toMatchObject({ id: 'e1', source: '/crm', data: { rows: 12 } });
    expect(one.hints).toMatchObject([{ user: 'me', item: { id: page.items[0]?.id, offset: 1 } }]);

    const decisions = await push.rows<{ trace: { stage: string }[] }>('SELECT * FROM decision');
    expect(decisions).toMatchObject([
      { verdict: 'sent', reason: 'sent', terminal: true, event_id: 'e1', event_origin: 'crm', event_type: 'contact.updated', delivery_id: page.items[0]?.id },
    ]);
    const stages = decisions.flatMap(({ trace }) => trace.map(({ stage }) => stage));
    expect(stages).toEqual(expect.arrayContaining(['idempotency', 'validity', 'preference', 'emit']));
    const outbox = await push.rows<{ msg_id: string }>("SELECT msg_id FROM outbox WHERE subject LIKE 'plexus.evt.%'");
    expect(outbox).toEqual([{ msg_id: page.items[0]?.id }]);
    // What is looked at again before anything is told outside the inbox.
    expect(await push.rows('SELECT scopes FROM inbox_item')).toEqual([{ scopes: [['case:case-7']] }]);
  });

  it('nothing is stored about an event that nobody follows', async () => {
    await expect(replicas[0].decide.execute(incoming(1))).resolves.toEqual([]);
    expect(push.log.inputs).toEqual([]);
    await expect(push.rows('SELECT 1 FROM decision UNION ALL SELECT 1 FROM seen_event')).resolves.toEqual([]);
  });

  it('a matcher that repeats an event writes no second candidate, and another owner decides nothing again', async () => {
    const [one, two] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await one.decide.execute(incoming(1));
    await expect(two.decide.execute(incoming(1))).resolves.toEqual([]);
    expect(await offsetsOf('me')).toEqual([1]);
    expect(two.hints).toEqual([]);
    await expect(push.rows('SELECT reason FROM decision')).resolves.toEqual([{ reason: 'sent' }]);
  });

  it('a crash before the commit leaves nothing, and the next owner does everything once', async () => {
    const [one, two] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    one.crashBeforeCommit = true;
    await expect(one.decide.execute(incoming(1))).rejects.toThrow('crashed before the commit');
    expect(one.hints).toEqual([]);
    const written = 'SELECT 1 FROM seen_event UNION ALL SELECT 1 FROM user_state UNION ALL SELECT 1 FROM decision UNION ALL SELECT 1 FROM timer';
    await expect(push.rows(written)).resolves.toEqual([]);
    await expect(two.decide.decideAll()).resolves.toEqual(['sent']);
    expect(await offsetsOf('me')).toEqual([1]);
  });

  it('a replica that has lost its partitions changes nothing, however sure it is', async () => {
    const [one, two] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await one.decide.execute(incoming(1));
    await two.decide.takeOver();
    await one.decide.match(incoming(2));
    await expect(one.decide.decideOnce()).resolves.toBe('lost');
    await expect(push.rows('SELECT event_id FROM decision')).resolves.toEqual([{ event_id: 'e1' }]);
    await expect(two.decide.decideAll()).resolves.toEqual(['sent']);
    expect(await offsetsOf('me')).toEqual([1, 2]);
  });

  it('the same event published 500 times is sent once and 499 times a duplicate_event', async () => {
    await replicas[0].subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    push.log.dedupes = false;
    for (const seq of oneTo(500)) await replicas[0].decide.match(incoming(seq, { id: 'same' }));
    for (const half of [0, 1, 2]) await (replicas[half] as Replica).decide.decideOnce(200);
    const counted = await push.rows('SELECT reason, count(*)::int AS n FROM decision GROUP BY 1 ORDER BY 1');
    expect(counted).toEqual([
      { reason: 'duplicate_event', n: 499 },
      { reason: 'sent', n: 1 },
    ]);
    expect(await offsetsOf('me')).toEqual([1]);
  });

  it('an event that was seen before there were states, or that a state has no room for, is a duplicate', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    push.log.dedupes = false;
    await one.decide.execute(incoming(1));
    await push.rows('DELETE FROM user_state');
    one.decide.remembered.forget(push.log.inputs[0]?.part as number);
    await expect(one.decide.execute(incoming(2, { id: 'e1' }))).resolves.toEqual(['duplicate_event']);
    await expect(one.decide.execute(incoming(3))).resolves.toEqual(['sent']);
    expect(await offsetsOf('me')).toEqual([1, 2]);
  });

  it('an inbox from before there were states goes on: the same epoch, the next offset', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await push.rows("INSERT INTO inbox_head (t, user_id, epoch, head_offset) VALUES ('acme', 'me', '01jd2x3y4z5a6b7c8d9e0f1g2h', 41)");
    await one.decide.execute(incoming(1));
    expect(await offsetsOf('me')).toEqual([42]);
    await expect(push.rows('SELECT epoch, head_offset AS head FROM inbox_head')).resolves.toEqual([{ epoch: '01jd2x3y4z5a6b7c8d9e0f1g2h', head: 42 }]);
  });

  it('who was forgotten between two events begins anew, whatever the owner of the partition remembers', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await one.decide.execute(incoming(1));
    for (const table of ['user_state', 'inbox_item', 'inbox_head', 'decision', 'seen_event']) await push.rows(`DELETE FROM ${table}`);
    await one.decide.execute(incoming(2));
    expect(await offsetsOf('me')).toEqual([1]);
    await expect(push.rows('SELECT event_id FROM decision')).resolves.toEqual([{ event_id: 'e2' }]);
  });

  it('source and id forged under another source token do not suppress the original', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await one.decide.execute(incoming(1, { origin: 'forger', id: 'e1' }));
    await expect(one.decide.execute(incoming(2, { origin: 'crm', id: 'e1' }))).resolves.toEqual(['sent']);
  });

  it('what holds for everybody is folded once per partition and known to the next owner', async () => {
    const [one, two] = replicas;
    for (const user of ['ada', 'bob']) await one.subscriptions.subscribe({ tenant: 'acme', user }, everything);
    const everyPart = Array.from({ length: 64 }, (_, part) => part);
    const silence = { id: 's1', matchers: [{ label: 'source', op: '=' as const, value: '/noisy' }], from: 0, to: 9e12, includeCritical: false, removed: false };
    push.log.write('acme', '_', 'silence:s1', { kind: 'silence', data: silence }, everyPart);
    await one.decide.decideAll();
    await expect(push.rows('SELECT count(*)::int AS n FROM shared_state')).resolves.toEqual([{ n: 64 }]);
    await expect(two.decide.execute(incoming(1, { source: '/noisy' }))).resolves.toEqual(['silenced', 'silenced']);
    await expect(two.decide.execute(incoming(2, { tenant: 'other' }))).resolves.toEqual([]);
  });

  it('three owners in turn, with crashes, repeats and take-overs, decide as one undisturbed owner does (D2, D3, D7, D9)', async () => {
    const users = ['ada', 'bob', 'cid', 'dora', 'eve'];
    const follow = async (replica: Replica) => {
      for (const [index, user] of users.entries()) {
        await replica.subscriptions.subscribe({ tenant: 'acme', user }, everything);
        await replica.subscriptions.subscribe({ tenant: 'acme', user }, { ...everything, scopeKind: 'topic', scopeRef: `t${index % 2}`, level: 'muted' });
      }
    };
    await follow(replicas[0]);
    const total = 60;
    const random = mulberry(20_261_121);
    for (const seq of oneTo(total)) {
      const event = incoming(seq, { topics: [`t${seq % 3}`], receivedAt: START + seq * 1_000 });
      for (let again = 0; again === 0 || random() < 0.3; again += 1) await replicas[0].decide.match(event);
      const replica = replicas[Math.floor(random() * 3)] as Replica;
      replica.crashBeforeCommit = random() < 0.3;
      if (random() < 0.3) await replica.decide.takeOver();
      await replica.decide.decideOnce(1 + Math.floor(random() * 4)).catch((error: Error) => expect(error.message).toBe('crashed before the commit'));
      replica.crashBeforeCommit = false;
    }
    await replicas[1].decide.decideAll();
    const outcome = `SELECT t, user_id, event_id, verdict, reason, terminal, at FROM decision ORDER BY user_id, id`;
    const decided = await push.rows(outcome);
    const calm = await openPushDatabase();
    try {
      await follow(calm.replica());
      // The same log, as one owner reads it from its beginning to its end.
      calm.log.inputs.push(...push.log.inputs);
      await calm.replica().decide.decideAll();
      expect(decided).toEqual(await calm.rows(outcome));
    } finally {
      await calm.close();
    }
    for (const [index, user] of users.entries()) {
      const muted = oneTo(total).filter((seq) => seq % 3 === index % 2).length;
      expect(await offsetsOf(user)).toEqual(oneTo(total - muted));
    }
    expect(decided).toHaveLength(total * users.length);
    const [{ facts }] = (await push.rows("SELECT count(*)::int AS facts FROM outbox WHERE subject LIKE 'plexus.evt.%'")) as [{ facts: number }];
    const [{ items }] = (await push.rows('SELECT count(*)::int AS items FROM inbox_item')) as [{ items: number }];
    expect(facts).toBe(items);
  });

  it('an input that the engine cannot decide is put aside, and everything behind it is decided', async () => {
    const engine = createEngine();
    const failing: Engine = {
      ...engine,
      reduce: (state, input, shared, known) => {
        if (input.kind === 'candidate' && input.data.event.id === 'e2') throw new Error('a fault of ours');
        return engine.reduce(state, input, shared, known);
      },
    };
    const faulty = await openPushDatabase(failing);
    try {
      const one = faulty.replica();
      await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
      for (const seq of [1, 2, 3]) await one.decide.match(incoming(seq));
      await expect(one.decide.decideAll()).resolves.toEqual(['sent', 'sent']);
      expect(one.decide.faults.map(({ seq }) => seq)).toEqual([2]);
    } finally {
      await faulty.close();
    }
  });

  it('a tenant sees nothing of another tenant with the same users, scopes and events (D11)', async () => {
    const [one] = replicas;
    for (const tenant of ['acme', 'other']) await one.subscriptions.subscribe({ tenant, user: 'me' }, everything);
    await one.decide.execute(incoming(1, { tenant: 'other', summary: 'secret' }));
    await one.decide.execute(incoming(2, { tenant: 'acme', id: 'e1', summary: 'mine' }));
    const titles = async (tenant: string) => (await one.inbox.fetch({ tenant, user: 'me' }, { after: 0, limit: 10 })).items.map(({ title }) => title);
    expect(await titles('acme')).toEqual(['mine']);
    expect(await titles('other')).toEqual(['secret']);
  });

  it('text that Postgres cannot hold is neither an error nor lost', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    const nasty = 'a\0b\ud800c';
    const event = incoming(1, {
      source: nasty,
      id: nasty,
      type: nasty,
      subject: nasty,
      summary: nasty,
      caseId: nasty,
      dedupKey: nasty,
      groupKey: nasty,
      entities: [nasty],
      data: { [nasty]: nasty },
    });
    await expect(one.decide.execute(event)).resolves.toEqual(['sent']);
    const [item] = (await one.inbox.fetch({ tenant: 'acme', user: 'me' }, { after: 0, limit: 1 })).items;
    expect(item?.title).toBe('a\ufffdb\ufffdc');
    expect(item?.events[0]?.data).toEqual({ [nasty]: nasty });
  });

  it('sightings older than seven days are forgotten, younger ones stay', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    const day = 24 * 60 * 60 * 1_000;
    const now = Date.parse('2026-11-21T10:00:00Z');
    await one.decide.execute(incoming(1, { receivedAt: now - 8 * day }));
    await one.decide.execute(incoming(2, { receivedAt: now - 6 * day }));
    await expect(one.seen.prune(new Date(now - 7 * day), 100)).resolves.toBe(1);
    await expect(push.rows('SELECT input_seq::int AS seq FROM seen_event')).resolves.toEqual([{ seq: 2 }]);
  });

  describe('large audiences', () => {
    const followers = (count: number) =>
      push.rows(`INSERT INTO subscription (t, id, user_id, scope_kind, scope_ref, min_severity, type_patterns, level)
                 SELECT 'acme', 'sub_' || n, 'user_' || n, 'topic', 'news', 'low', '{}', 'all' FROM generate_series(1, ${count}) n`);
    const users = () => new Set(push.log.inputs.map(({ user }) => user));

    it('one event for 1,100 followers reaches everyone once', async () => {
      await followers(1_100);
      await replicas[0].decide.execute(incoming(1, { topics: ['news'] }));
      const [counted] = await push.rows('SELECT count(*)::int AS n, count(DISTINCT user_id)::int AS users, max(inbox_offset) AS last FROM inbox_item');
      expect(counted).toEqual({ n: 1_100, users: 1_100, last: 1 });
    });

    it('is whoever followed when the event was matched, whatever is changed while it is worked off (D14)', async () => {
      await followers(1_200);
      const [one, two] = replicas;
      await one.matching.execute(incoming(1, { topics: ['news'] }));
      const first = await one.jobs.claim('acme', 2, 60_000);
      await one.matching.page(first as NonNullable<typeof first>);
      await one.jobs.done(first as NonNullable<typeof first>);
      await push.rows("DELETE FROM subscription WHERE user_id IN ('user_7', 'user_999')");
      await push.rows("UPDATE subscription SET scope_ref = 'sports', version = 2 WHERE user_id = 'user_8'");
      await push.rows(`INSERT INTO subscription (t, id, user_id, scope_kind, scope_ref, min_severity, type_patterns, level)
                       VALUES ('acme', 'sub_late', 'late', 'topic', 'news', 'low', '{}', 'all')`);
      await two.decide.match(incoming(1, { topics: ['news'] }));
      expect(push.log.inputs).toHaveLength(1_200);
      expect(users()).toEqual(new Set(oneTo(1_200).map((n) => `user_${n}`)));
      await expect(one.jobs.tenants()).resolves.toEqual([]);
    });

    it('a page whose taker died is taken again after its claim, and what it had written is not there twice (acceptance 20, small)', async () => {
      await followers(1_100);
      const [one, two, three] = replicas;
      const event = incoming(1, { topics: ['news'] });
      await one.matching.execute(event);
      const lost = await one.jobs.claim('acme', 2, 1);
      // It had written its page when it died, and said so to nobody.
      await one.matching.page(lost as NonNullable<typeof lost>);
      const workOff = async (replica: Replica) => {
        for (let page = await replica.jobs.claim('acme', 2, 60_000); page !== undefined; page = await replica.jobs.claim('acme', 2, 60_000)) {
          await replica.matching.page(page);
          await replica.jobs.done(page);
        }
      };
      await Promise.all([workOff(two), workOff(three)]);
      expect(push.log.inputs).toHaveLength(1_100);
      expect(users().size).toBe(1_100);
      await expect(push.rows('SELECT count(*)::int AS n FROM fanout_page')).resolves.toEqual([{ n: 0 }]);
    });

    it('works on the oldest jobs of a tenant first, and never on more than its cap', async () => {
      await followers(600);
      const [one] = replicas;
      for (const seq of [1, 2, 3]) await one.matching.execute(incoming(seq, { topics: ['news'] }));
      const claimed = [];
      for (let page = await one.jobs.claim('acme', 2, 60_000); page !== undefined; page = await one.jobs.claim('acme', 2, 60_000)) claimed.push(page.event.id);
      expect(claimed).toEqual(['e1', 'e1', 'e2', 'e2']);
    });
  });
});

/** Small seeded generator, so that a failing interleaving can be looked at again. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
