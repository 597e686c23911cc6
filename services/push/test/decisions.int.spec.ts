import { everything, incoming, openPushDatabase, type PushDatabase, type Replica } from './support/push-on-postgres.js';

describe('deciding on a real Postgres', () => {
  let push: PushDatabase;
  let replicas: [Replica, Replica, Replica];

  beforeEach(async () => {
    push = await openPushDatabase();
    replicas = [push.replica(), push.replica(), push.replica()];
  });
  afterEach(() => push.close());

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
    expect(one.hints).toEqual([{ user: 'me', item: page.items[0] }]);

    const decisions = await push.rows<{ trace: { stage: string }[] }>('SELECT * FROM decision');
    expect(decisions).toMatchObject([{ verdict: 'sent', reason: 'sent', event_id: 'e1', event_origin: 'crm', delivery_id: page.items[0]?.id }]);
    expect(decisions.flatMap(({ trace }) => trace.map(({ stage }) => stage))).toEqual(['idempotency', 'validity', 'preference', 'emit']);
    const outbox = await push.rows<{ msg_id: string }>('SELECT msg_id FROM outbox');
    expect(outbox).toEqual([{ msg_id: page.items[0]?.id }]);
  });

  it('nothing is stored about an event that nobody follows', async () => {
    await expect(replicas[0].decide.execute(incoming(1))).resolves.toEqual([]);
    await expect(push.rows('SELECT 1 FROM decision UNION ALL SELECT 1 FROM seen_event')).resolves.toEqual([]);
  });

  it('a redelivery after a crash between commit and ack changes nothing and hints nothing', async () => {
    const [one, two] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await one.decide.execute(incoming(1));
    await expect(two.decide.execute(incoming(1))).resolves.toEqual([]);
    expect(await offsetsOf('me')).toEqual([1]);
    expect(two.hints).toEqual([]);
    await expect(push.rows('SELECT reason FROM decision')).resolves.toEqual([{ reason: 'sent' }]);
  });

  it('a crash before the commit leaves nothing, and the redelivery does everything once', async () => {
    const [one, two] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    one.crashBeforeCommit = true;
    await expect(one.decide.execute(incoming(1))).rejects.toThrow('crashed before the commit');
    expect(one.hints).toEqual([]);
    await expect(push.rows('SELECT 1 FROM seen_event UNION ALL SELECT 1 FROM inbox_head UNION ALL SELECT 1 FROM decision')).resolves.toEqual([]);
    await expect(two.decide.execute(incoming(1))).resolves.toEqual(['sent']);
    expect(await offsetsOf('me')).toEqual([1]);
  });

  it('one message handled by three replicas at once, twenty times, is delivered once', async () => {
    await replicas[0].subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    const reasons = await Promise.all(oneTo(20).map((n) => (replicas[n % 3] as Replica).decide.execute(incoming(1))));
    expect(reasons.flat()).toEqual(['sent']);
    expect(await offsetsOf('me')).toEqual([1]);
    expect(replicas.flatMap(({ hints }) => hints)).toHaveLength(1);
  });

  it('the same event published 2,000 times is sent once and 1,999 times a duplicate_event', async () => {
    await replicas[0].subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    const queue = oneTo(2_000);
    const worker = async (replica: Replica) => {
      for (let seq = queue.shift(); seq !== undefined; seq = queue.shift()) await replica.decide.execute(incoming(seq, { id: 'same' }));
    };
    await Promise.all([...replicas, ...replicas, ...replicas].map(worker));
    const counted = await push.rows('SELECT reason, count(*)::int AS n FROM decision GROUP BY 1 ORDER BY 1');
    expect(counted).toEqual([
      { reason: 'duplicate_event', n: 1_999 },
      { reason: 'sent', n: 1 },
    ]);
    expect(await offsetsOf('me')).toEqual([1]);
  });

  it('a redelivered duplicate is not counted again', async () => {
    await replicas[0].subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    for (const seq of [1, 2, 2, 1, 2]) await replicas[0].decide.execute(incoming(seq, { id: 'same' }));
    await expect(push.rows('SELECT input_seq::int AS seq, reason FROM decision ORDER BY 1')).resolves.toEqual([
      { seq: 1, reason: 'sent' },
      { seq: 2, reason: 'duplicate_event' },
    ]);
  });

  it('source and id forged under another source token do not suppress the original', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await one.decide.execute(incoming(1, { origin: 'forger', id: 'e1' }));
    await expect(one.decide.execute(incoming(2, { origin: 'crm', id: 'e1' }))).resolves.toEqual(['sent']);
  });

  it('a stream that begins anew at sequence 1 loses no event', async () => {
    const [one] = replicas;
    await one.subscriptions.subscribe({ tenant: 'acme', user: 'me' }, everything);
    await one.decide.execute(incoming(1, { id: 'before' }));
    await expect(one.decide.execute(incoming(1, { id: 'after' }))).resolves.toEqual(['sent']);
    expect(await offsetsOf('me')).toEqual([1, 2]);
  });

  it('offsets are 1, 2, 3 … per user with three replicas, crashes and redeliveries all at once (D2, D3, D9)', async () => {
    const users = ['ada', 'bob', 'cid', 'dora', 'eve'];
    for (const [index, user] of users.entries()) {
      await replicas[0].subscriptions.subscribe({ tenant: 'acme', user }, everything);
      await replicas[0].subscriptions.subscribe({ tenant: 'acme', user }, { ...everything, scopeKind: 'topic', scopeRef: `t${index % 2}`, level: 'muted' });
    }
    const total = 150;
    const pending = oneTo(total);
    const random = mulberry(20_261_121);
    const worker = async (replica: Replica) => {
      for (let seq = pending.shift(); seq !== undefined; seq = pending.shift()) {
        const event = incoming(seq, { topics: [`t${seq % 3}`] });
        replica.crashBeforeCommit = random() < 0.2;
        await replica.decide.execute(event).then(
          () => (random() < 0.2 ? pending.push(event.inputSeq) : 0),
          () => pending.push(event.inputSeq),
        );
      }
    };
    await Promise.all(replicas.map(worker));
    for (const [index, user] of users.entries()) {
      const muted = oneTo(total).filter((seq) => seq % 3 === index % 2).length;
      expect(await offsetsOf(user)).toEqual(oneTo(total - muted));
    }
    const [{ twice, decided }] = (await push.rows(
      'SELECT count(*)::int AS decided, (count(*) - count(DISTINCT (user_id, event_key)))::int AS twice FROM decision',
    )) as [{ twice: number; decided: number }];
    expect({ twice, decided }).toEqual({ twice: 0, decided: total * users.length });
    const [{ facts }] = (await push.rows('SELECT count(*)::int AS facts FROM outbox')) as [{ facts: number }];
    const [{ items }] = (await push.rows('SELECT count(*)::int AS items FROM inbox_item')) as [{ items: number }];
    expect(facts).toBe(items);
  });

  it('one event for 2,000 followers is one transaction, everyone once', async () => {
    await push.rows(`INSERT INTO subscription (t, id, user_id, scope_kind, scope_ref, min_severity, type_patterns, level)
                     SELECT 'acme', 'sub_' || n, 'user_' || n, 'topic', 'news', 'low', '{}', 'all' FROM generate_series(1, 2000) n`);
    await replicas[0].decide.execute(incoming(1, { topics: ['news'] }));
    const [counted] = await push.rows('SELECT count(*)::int AS n, count(DISTINCT user_id)::int AS users, max(inbox_offset) AS last FROM inbox_item');
    expect(counted).toEqual({ n: 2_000, users: 2_000, last: 1 });
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
      entities: [nasty],
      data: { [nasty]: nasty },
    });
    await expect(one.decide.execute(event)).resolves.toEqual(['sent']);
    await expect(one.decide.execute(event)).resolves.toEqual([]);
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
