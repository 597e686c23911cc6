import { subjectsOfPerson } from '../src/adapters/nats/person-log.js';
import { PostgresAttemptBook } from '../src/adapters/postgres/attempt-book.js';
import { PostgresInboxRetention } from '../src/adapters/postgres/inbox-retention.js';
import { PersonEraser } from '../src/adapters/postgres/person-eraser.js';
import { everything, incoming, openPushDatabase, type PushDatabase, type Replica } from './support/push-on-postgres.js';

describe('subscriptions and inbox on a real Postgres', () => {
  let push: PushDatabase;
  let one: Replica;
  const me = { tenant: 'acme', user: 'me' };

  beforeEach(async () => {
    push = await openPushDatabase();
    one = push.replica();
  });
  afterEach(() => push.close());

  describe('subscriptions', () => {
    it('the same scope again updates the subscription and says so', async () => {
      const first = await one.subscriptions.subscribe(me, everything);
      const again = await one.subscriptions.subscribe(me, { ...everything, level: 'muted', minSeverity: 'high', typePatterns: ['a.*', 'a.*'] });
      expect(first.created).toBe(true);
      expect(again).toMatchObject({ created: false, subscription: { id: first.subscription.id, version: 2, level: 'muted', typePatterns: ['a.*'] } });
      await expect(one.subscriptions.list(me, { limit: 10 })).resolves.toEqual({ subscriptions: [again.subscription] });
    });

    it('the same scope twenty times at once is one subscription', async () => {
      const two = push.replica();
      const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? one : two).subscriptions.subscribe(me, everything)));
      expect(answers.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(answers.map(({ subscription }) => subscription.id)).size).toBe(1);
    });

    it('nobody lists or removes what belongs to somebody else', async () => {
      const { subscription } = await one.subscriptions.subscribe(me, everything);
      for (const stranger of [
        { tenant: 'acme', user: 'you' },
        { tenant: 'other', user: 'me' },
      ]) {
        await expect(one.subscriptions.list(stranger, { limit: 10 })).resolves.toEqual({ subscriptions: [] });
        await expect(one.subscriptions.unsubscribe(stranger, subscription.id)).resolves.toBe(false);
      }
      await expect(one.subscriptions.unsubscribe(me, subscription.id)).resolves.toBe(true);
      await expect(one.subscriptions.unsubscribe(me, subscription.id)).resolves.toBe(false);
      await one.decide.execute(incoming(1));
      await expect(one.inbox.fetch(me, { limit: 10 })).resolves.toMatchObject({ items: [] });
    });

    it.each([
      [{ scopeKind: 'case', scopeRef: '' }],
      [{ scopeKind: 'all', scopeRef: 'x' }],
      [{ scopeKind: 'case', scopeRef: 'a\0b' }],
      [{ scopeKind: 'case', scopeRef: 'a\ud800' }],
      [{ typePatterns: ['a\0'] }],
    ] as const)('refuses %j with a code', async (rest) => {
      await expect(one.subscriptions.subscribe(me, { ...everything, ...rest })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    });

    it('an id that cannot exist is simply not there', async () => {
      await expect(one.subscriptions.unsubscribe(me, 'sub_\0')).resolves.toBe(false);
    });

    it('refuses more subscriptions than one list can hold', async () => {
      const patterns = Array.from({ length: 50 }, (_, n) => `${n}`.padStart(256, 'p'));
      const followUntilRefused = async () => {
        for (let n = 0; n < 100; n += 1) await one.subscriptions.subscribe(me, { ...everything, scopeKind: 'case', scopeRef: `c${n}`, typePatterns: patterns });
      };
      await expect(followUntilRefused()).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
      expect((await one.subscriptions.list(me, { limit: 500 })).subscriptions.length).toBeGreaterThan(30);
    });
  });

  describe('a person who is forgotten', () => {
    const eraser = () => {
      const receipt = { subject: 'plexus.evt.acme.user.erased.v1.e', msgId: 'receipt', body: Buffer.from('{}') };
      const subjects = (tenant: string, name: string) => subjectsOfPerson(tenant, name).map(({ subject }) => subject);
      return new PersonEraser(
        one.database,
        () => receipt,
        () => undefined,
        subjects,
      );
    };
    const erase = (user: string) => eraser().erase('acme', user, 'e');
    const outbox = () => push.rows<{ subject: string }>('SELECT subject FROM outbox ORDER BY id');

    it('is not published behind the erasure, neither from the outbox nor from a page that waits to be fanned out', async () => {
      const you = { tenant: 'acme', user: 'you' };
      for (const owner of [me, you, { ...me, tenant: 'other' }]) {
        const { subscription } = await one.subscriptions.subscribe(owner, everything);
        await one.subscriptions.update(owner, subscription.id, { level: 'digest' });
      }
      await one.jobs.begin({ id: 'job', event: incoming(1) });
      expect(await outbox()).toHaveLength(3);
      await erase('me');
      expect((await outbox()).map(({ subject }) => subject.split('.').filter((token) => ['acme', 'other', 'me', 'you', 'erased'].includes(token)))).toEqual([
        ['acme', 'you'],
        ['other', 'me'],
        ['acme', 'erased'],
      ]);
      expect((await one.jobs.claim('acme', 1, 1_000))?.subscriptions.map(({ user }) => user)).toEqual(['you']);
    });

    it('is told to be so once and when everything is gone, however long that takes', async () => {
      const waiting = () => push.rows('SELECT msg_id FROM outbox WHERE published_at IS NULL');
      await erase('me');
      // What was published is removed after a while.
      await push.rows("DELETE FROM outbox WHERE published_at < now() + interval '1 day'");
      expect(await waiting()).toEqual([]);
      await eraser().finish('acme', 'me', 'e');
      expect(await waiting()).toEqual([{ msg_id: 'receipt' }]);
      await push.rows("UPDATE outbox SET published_at = now() - interval '1 second'");
      // The request is delivered once more.
      await erase('me');
      await eraser().finish('acme', 'me', 'e');
      expect(await waiting()).toEqual([]);
    });

    it('has no attempts written down about items that went meanwhile', async () => {
      await new PostgresAttemptBook(one.database).skip({ ...me, deliveryId: 'dlv_gone', channel: 'webhook', level: 0 }, 1, 'no_contact');
      expect(await push.rows('SELECT 1 FROM delivery_attempt')).toEqual([]);
    });
  });

  it('silences that are over are forgotten like old decisions', async () => {
    const silence = (id: string, to: string) =>
      push.rows(
        `INSERT INTO silence (t, id, user_id, matchers, starts_at, ends_at, include_critical, reason, created_by, created_at)
         VALUES ('acme', $1, 'me', '[]', '2020-01-01', $2, false, '', 'me', '2020-01-01')`,
        [id, to],
      );
    await silence('old', '2020-02-01');
    await silence('new', '2020-04-01');
    const retention = new PostgresInboxRetention(one.database);
    expect(await retention.pruneSilences(new Date('2020-03-01'), 10)).toBe(1);
    expect(await push.rows('SELECT id FROM silence')).toEqual([{ id: 'new' }]);
  });

  describe('the inbox', () => {
    const fill = async (count: number, rest: Parameters<typeof incoming>[1] = {}) => {
      await one.subscriptions.subscribe(me, everything);
      for (let seq = 1; seq <= count; seq += 1) await one.decide.execute(incoming(seq, { summary: `item ${seq}`, ...rest }));
    };
    const offsets = (items: readonly { offset: number }[]) => items.map(({ offset }) => offset);

    it('is read forward behind an offset, or newest first without one', async () => {
      await fill(5);
      expect(offsets((await one.inbox.fetch(me, { after: 2, limit: 2 })).items)).toEqual([3, 4]);
      expect(offsets((await one.inbox.fetch(me, { limit: 2 })).items)).toEqual([5, 4]);
      expect((await one.inbox.fetch(me, { after: 5, limit: 2 })).items).toEqual([]);
      expect((await one.inbox.fetch(me, { after: Number.MAX_SAFE_INTEGER, limit: 2 })).items).toEqual([]);
    });

    it('keeps its epoch from the first look on, and is nobody else’s', async () => {
      const before = await one.inbox.fetch(me, { limit: 1 });
      expect(before).toMatchObject({ head: 0, unread: 0, items: [] });
      await fill(1);
      const after = await one.inbox.fetch(me, { limit: 1 });
      expect(after).toMatchObject({ epoch: before.epoch, head: 1 });
      await expect(one.inbox.fetch({ tenant: 'acme', user: 'you' }, { limit: 5 })).resolves.toMatchObject({ head: 0, items: [] });
      await expect(one.inbox.fetch({ tenant: 'other', user: 'me' }, { limit: 5 })).resolves.toMatchObject({ head: 0, items: [] });
    });

    it('marks move forward only, by id and up to an offset, and count what changed', async () => {
      await fill(5);
      const { items } = await one.inbox.fetch(me, { after: 0, limit: 5 });
      const ids = [items[0]?.id as string, items[1]?.id as string];
      await expect(one.inbox.mark(me, { ids }, 'read')).resolves.toEqual({ changed: 2, unread: 3 });
      await expect(one.inbox.mark(me, { ids }, 'seen')).resolves.toEqual({ changed: 0, unread: 3 });
      await expect(one.inbox.mark(me, { ids: [], upTo: 4 }, 'seen')).resolves.toEqual({ changed: 2, unread: 3 });
      await expect(one.inbox.mark(me, { ids, upTo: 3 }, 'done')).resolves.toEqual({ changed: 3, unread: 2 });
      const states = (await one.inbox.fetch(me, { after: 0, limit: 5 })).items.map(({ state }) => state);
      expect(states).toEqual(['done', 'done', 'done', 'seen', 'new']);
    });

    it('marks of strangers, unknown ids and ids that cannot exist change nothing', async () => {
      await fill(1);
      const { items } = await one.inbox.fetch(me, { limit: 1 });
      const ids = [items[0]?.id as string, 'dlv_unknown', 'dlv_\0'];
      await expect(one.inbox.mark({ tenant: 'acme', user: 'you' }, { ids, upTo: 9 }, 'read')).resolves.toMatchObject({ changed: 0 });
      await expect(one.inbox.mark({ tenant: 'other', user: 'me' }, { ids, upTo: 9 }, 'read')).resolves.toMatchObject({ changed: 0 });
      await expect(one.inbox.mark(me, { ids }, 'read')).resolves.toEqual({ changed: 1, unread: 0 });
    });

    it('a page of large items is cut so that it fits one message, and reading on finds the rest', async () => {
      await fill(60, { data: { text: 'x'.repeat(16_000) } });
      const first = await one.inbox.fetch(me, { after: 0, limit: 200 });
      expect(Buffer.byteLength(JSON.stringify(first))).toBeLessThan(900_000);
      const seen = offsets(first.items);
      while (seen.length < 60) {
        const next = await one.inbox.fetch(me, { after: seen.at(-1) as number, limit: 200 });
        expect(next.items.length).toBeGreaterThan(0);
        seen.push(...offsets(next.items));
      }
      expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    });

    it('tells the heads of several users at once and leaves strangers out', async () => {
      await fill(3);
      const { epoch } = await one.inbox.fetch(me, { limit: 1 });
      await expect(one.inbox.heads('acme', ['me', 'nobody', 'a\0'])).resolves.toEqual([{ user: 'me', epoch, head: 3 }]);
      await expect(one.inbox.heads('other', ['me'])).resolves.toEqual([]);
      await expect(one.inbox.heads('acme', [])).resolves.toEqual([]);
    });
  });
});
