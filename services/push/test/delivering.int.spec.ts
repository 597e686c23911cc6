import { isDeepStrictEqual } from 'node:util';
import { redrive } from '@plexus/bus';
import {
  plexusError,
  pushContracts as push,
  pushDeliveryContracts,
  pushLogContracts,
  pushManageContracts as manage,
  routingContracts as routing,
  SCOPES,
} from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { RunningService } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import { PostgresInboxRetention } from '../src/adapters/postgres/inbox-retention.js';
import { partitionOf } from '../src/domain/partition.js';
import { HttpStandIn, isSigned } from './support/channel-stand-ins.js';
import { DeliveringWorld } from './support/delivering-world.js';
import { startPush } from './support/mesh.js';

const SIGNING = `whsec_${Buffer.from('a key that nobody may see, ever').toString('base64')}`;

describe('deliveries in the mesh', () => {
  let world: DeliveringWorld;
  let receiver: HttpStandIn;
  let replica: RunningService;
  let me: string;
  const injected: { sessionKey: string; message: string; idempotencyKey?: string | undefined; user: string | undefined }[] = [];
  const sessions = new Set<string>();

  beforeAll(async () => {
    world = await DeliveringWorld.start();
    receiver = await HttpStandIn.start();
    await world.configure({ webhook: { signingSecret: world.secret('signing', SIGNING), maxAttempts: 3 } });
    replica = await startPush(world.mesh, world.database.url, { PUSH_PRIVATE_HOSTS: '127.0.0.1' });
    // Routing, as far as notifications need it.
    world.bus.serve(routing.sessionForUser, async () => ({ sessionKey: 'agent:main:main', agentId: 'main' }));
    world.bus.serve(routing.createSession, async ({ sessionKey = '' }, { principal }) => {
      sessions.add(principal.user ?? '');
      return { session: { sessionKey, sessionId: ulid() } as never, created: true };
    });
    world.bus.serve(routing.injectMessage, async ({ sessionKey, message, idempotencyKey }, { principal }) => {
      if (!sessions.has(principal.user ?? '')) throw plexusError('SESSION_NOT_FOUND');
      injected.push({ sessionKey, message, idempotencyKey, user: principal.user });
      return { messageId: ulid(), sessionId: ulid(), sessionKey };
    });
  });
  afterAll(async () => {
    await replica?.stop('end of the test');
    await receiver?.stop();
    await world?.stop();
  });
  beforeEach(() => {
    me = world.newUser();
  });
  const received = () => receiver.requests.filter(({ path }) => path === `/${me}`);
  const hook = () => world.contact(me, 'webhook', `${receiver.url}/${me}`);
  const marker = async () => {
    // A delivery of somebody else that came later and arrived: whatever stood before it had its turn.
    const other = world.newUser();
    await world.contact(other, 'webhook', `${receiver.url}/${other}`);
    const [id] = await world.items(other, 1);
    await world.command(other, id as string, 'webhook');
    await waitFor(() => receiver.requests.some(({ path }) => path === `/${other}`), { what: 'a later delivery' });
  };

  it('a delivery arrives signed, once, however often it is commanded, and its user can see that it did', async () => {
    await hook();
    const [id = ''] = await world.items(me, 1);
    for (const msgId of ['a', 'b', 'c']) await world.command(me, id, 'webhook', { msgId: `${id}:${msgId}` });
    await world.untilAttempts(id, (lines) => lines.includes('webhook sent'));
    await marker();
    expect(received()).toHaveLength(1);
    expect(isSigned(received()[0] as never, SIGNING)).toBe(true);
    const { attempts } = await world.bus.call(pushDeliveryContracts.listAttempts, 'acme', { deliveryId: id }, world.mesh.user(me));
    expect(attempts).toMatchObject([{ channel: 'webhook', level: 0, attempt: 1, status: 'sent' }]);
    const stranger = await world.bus.call(pushDeliveryContracts.listAttempts, 'acme', { deliveryId: id }, world.mesh.user('stranger'));
    expect(stranger.attempts).toEqual([]);
  });

  it('a message in the user’s own session needs no contact, and makes the conversation if there is none', async () => {
    const [id = ''] = await world.items(me, 1);
    await world.command(me, id, 'session');
    await world.untilAttempts(id, (lines) => lines.includes('session sent'));
    expect(injected.filter(({ user }) => user === me)).toEqual([
      { sessionKey: 'agent:main:main', message: 'Import finished', idempotencyKey: `push:${id}`, user: me },
    ]);
  });

  it('an address that is not verified gets nothing', async () => {
    await world.contact(me, 'webhook', `${receiver.url}/${me}`, { verified: false });
    const [id = ''] = await world.items(me, 1);
    await world.command(me, id, 'webhook');
    expect(await world.untilAttempts(id, (lines) => lines.length > 0)).toEqual(['webhook skipped no_contact']);
    expect(received()).toEqual([]);
  });

  it('what fails for now is tried again; what is refused is a dead letter, and sent when that is redriven', async () => {
    await hook();
    const [id = ''] = await world.items(me, 1);
    let count = 0;
    receiver.before = async ({ path }) => {
      if (path !== `/${me}`) return;
      count += 1;
      receiver.answers.push({ status: count === 1 ? 503 : count === 2 ? 422 : 204 });
    };
    await world.command(me, id, 'webhook');
    const letter = await waitFor(async () => (await world.parked(me))[0], { what: 'the dead letter' });
    expect(letter).toMatchObject({ code: 'DELIVERY_FAILED', reason: 'webhook: http_422' });
    await redrive(world.bus, letter.seq);
    expect(await world.untilAttempts(id, (lines) => lines.includes('webhook sent'))).toEqual([
      'webhook failed http_503',
      'webhook parked http_422',
      'webhook sent',
    ]);
    expect(new Set(received().map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    receiver.before = async () => undefined;
  });

  it('what its user may not see any more is not told, also when it waits to be tried again', async () => {
    await hook();
    const scopeRef = `case-of-${me}`;
    const admin = world.mesh.user('admin', { scopes: [SCOPES.admin] });
    const access = (contract: typeof manage.grantAccess | typeof manage.revokeAccess, user: string) =>
      world.bus.call(contract, 'acme', { user, scopeKind: 'case', scopeRef }, admin);
    await access(manage.grantAccess, me);
    const event = (id: string) => ({ id, source: '/demo', type: 'demo.happened', subject: id, time: '2026-11-21T10:00:00Z', summary: `About ${id}` });
    const [both = '', one = ''] = await world.items(me, 2, { kind: 'digest', scopes: [[`case:${scopeRef}`], ['topic:free']] });
    let count = 0;
    receiver.before = async ({ path }) => {
      if (path !== `/${me}`) return;
      count += 1;
      // The first attempt fails, and before its answer is there nobody but others may see the case.
      if (count === 1) await access(manage.revokeAccess, me);
      receiver.answers.push({ status: count === 1 ? 503 : 204 });
    };
    await world.command(me, one, 'webhook', { events: [event('one')] });
    expect(await world.untilAttempts(one, (lines) => lines.length === 2)).toEqual(
      expect.arrayContaining(['webhook failed http_503', 'webhook skipped not_authorized']),
    );
    await world.command(me, both, 'webhook', { kind: 'digest', events: [event('secret'), event('free')] });
    await world.untilAttempts(both, (lines) => lines.includes('webhook sent'));
    receiver.before = async () => undefined;
    expect(received()).toHaveLength(2);
    expect(String(received()[0]?.body)).toContain('About one');
    expect(String(received()[1]?.body)).toContain('About free');
    expect(String(received()[1]?.body)).not.toContain('About secret');
  });

  it('an address that is gone is retired with its reason', async () => {
    const contact = await hook();
    const [id = ''] = await world.items(me, 1);
    receiver.before = async ({ path }) => void (path === `/${me}` && receiver.answers.push({ status: 410 }));
    await world.command(me, id, 'webhook');
    await world.untilAttempts(id, (lines) => lines.includes('webhook failed http_410'));
    receiver.before = async () => undefined;
    expect(await world.rows('SELECT disabled_reason FROM contact WHERE id = $1', [contact])).toEqual([{ disabled_reason: 'http_410' }]);
    expect(await world.parked(me)).toEqual([]);
  });

  it('what is written about sending holds neither secret nor address', async () => {
    const dump = JSON.stringify(await world.rows('SELECT * FROM delivery_attempt'));
    expect(dump).toContain('webhook');
    for (const secret of [SIGNING, SIGNING.slice(6), '127.0.0.1']) expect(dump).not.toContain(secret);
  });

  it('a changed configuration holds for the next delivery, without a restart', async () => {
    await hook();
    const other = `whsec_${Buffer.from('another key').toString('base64')}`;
    await world.configure({ webhook: { signingSecret: world.secret('other', other), maxAttempts: 3 } });
    await waitFor(() => JSON.stringify(replica.context.tenants.get('acme')).includes('/other"'), { what: 'the configuration' });
    const [id = ''] = await world.items(me, 1);
    await world.command(me, id, 'webhook');
    await world.untilAttempts(id, (lines) => lines.includes('webhook sent'));
    expect(isSigned(received()[0] as never, other)).toBe(true);
  });

  describe('a second channel', () => {
    it('is used when the item was not seen for two minutes', async () => {
      await hook();
      const [id = ''] = await world.items(me, 1);
      await world.command(me, id, 'webhook', { afterMs: 120_000 });
      await world.untilAttempts(id, (lines) => lines.includes('webhook sent'));
    });

    it.each(['seen', 'read', 'done'] as const)('is not used when it was %s meanwhile', async (state) => {
      await hook();
      const [id = ''] = await world.items(me, 1);
      await world.bus.call(push.markInbox, 'acme', { ids: [id], state }, world.mesh.user(me));
      await world.command(me, id, 'webhook', { afterMs: 120_000 });
      const lines = await world.untilAttempts(id, (found) => found.length > 0);
      expect(lines).toEqual([`webhook skipped ${state === 'done' ? 'acknowledged' : 'seen'}`]);
      expect(received()).toEqual([]);
    });

    it('is not used for an escalation whose origin was acknowledged', async () => {
      await hook();
      const [origin = ''] = await world.items(me, 1, { urgency: 'P0' });
      const [id = ''] = await world.items(me, 1, { kind: 'escalation', urgency: 'P0', escalates: origin });
      await world.bus.call(push.ackInbox, 'acme', { deliveryId: origin }, world.mesh.user(me));
      await world.command(me, id, 'webhook', { level: 1, kind: 'escalation' });
      expect(await world.untilAttempts(id, (found) => found.length > 0)).toEqual(['webhook skipped acknowledged']);
    });

    it('is not used for what has expired', async () => {
      await hook();
      const [id = ''] = await world.items(me, 1, { expiresAt: new Date('2026-01-01') });
      await world.command(me, id, 'webhook');
      expect(await world.untilAttempts(id, (found) => found.length > 0)).toEqual(['webhook skipped expired']);
    });
  });

  describe('the state of an inbox', () => {
    const who = () => world.mesh.user(me);
    /** Waits until the last entry of the kind says this. */
    const logged = (contract: typeof pushLogContracts.readLogged | typeof pushLogContracts.ackLogged, expected: unknown) =>
      waitFor(
        async () => {
          const message = await world.bus.lastOnSubject('PLEXUS_PUSH_LOG', contract.subject('acme', String(partitionOf('acme', me)), me));
          return message !== undefined && isDeepStrictEqual(JSON.parse(Buffer.from(message.raw).toString()).data, expected);
        },
        { what: `the entry ${JSON.stringify(expected)}` },
      );

    it('what one device reads is read on the others, at once and after a reconnect, and the log knows', async () => {
      const ids = await world.items(me, 5);
      const hints: { unread: number; changes: { id: string; state: string }[] }[] = [];
      const device = world.bus.listenLive(push.inboxChangedHint, { tenant: 'acme', key: [me] }, (hint) => void hints.push(hint));
      expect(await world.bus.call(push.markInbox, 'acme', { ids: ids.slice(0, 2), state: 'read' }, who())).toEqual({ changed: 2, unread: 3 });
      await waitFor(() => hints.length > 0, { what: 'the hint' });
      expect(hints).toMatchObject([{ unread: 3, changes: ids.slice(0, 2).map((id) => ({ id, state: 'read' })) }]);
      const page = await world.bus.call(push.fetchInbox, 'acme', { after: 0 }, who());
      expect({ unread: page.unread, states: page.items.map(({ state }) => state) }).toEqual({ unread: 3, states: ['read', 'read', 'new', 'new', 'new'] });
      await logged(pushLogContracts.readLogged, { deliveryIds: ids.slice(0, 2), state: 'read' });
      device.stop();
    });

    it('whoever acknowledges an escalation acknowledges what it escalates; twice is once', async () => {
      const [origin = '', unrelated = ''] = await world.items(me, 2, { urgency: 'P0' });
      const [id = ''] = await world.items(me, 1, { kind: 'escalation', urgency: 'P0', escalates: origin });
      expect(await world.bus.call(push.ackInbox, 'acme', { deliveryId: id }, who())).toEqual({ acknowledged: 2, unread: 1 });
      expect(await world.bus.call(push.ackInbox, 'acme', { deliveryId: id }, who())).toEqual({ acknowledged: 0, unread: 1 });
      const { items } = await world.bus.call(push.fetchInbox, 'acme', { after: 0 }, who());
      expect(items.map((item) => [item.id, item.acknowledgedBy, item.state])).toEqual([
        [origin, me, 'read'],
        [unrelated, undefined, 'new'],
        [id, me, 'read'],
      ]);
      await logged(pushLogContracts.ackLogged, { deliveryId: id, by: me });
      expect(await world.bus.call(push.ackInbox, 'acme', { upTo: 3 }, who())).toEqual({ acknowledged: 1, unread: 0 });
      await logged(pushLogContracts.ackLogged, { deliveryId: unrelated, by: me });
      await expect(world.bus.call(push.ackInbox, 'acme', {}, who())).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      expect(await world.bus.call(push.ackInbox, 'acme', { deliveryId: origin }, world.mesh.user('stranger'))).toEqual({ acknowledged: 0, unread: 0 });
    });

    it('is read by state, priority and kind, and paged back', async () => {
      const ids = await world.items(me, 4);
      await world.items(me, 1, { kind: 'digest' });
      await world.bus.call(push.markInbox, 'acme', { ids: ids.slice(0, 1), state: 'seen' }, who());
      await world.bus.call(push.markInbox, 'acme', { ids: ids.slice(1, 2), state: 'done' }, who());
      const offsets = async (selection: object) => (await world.bus.call(push.fetchInbox, 'acme', selection, who())).items.map(({ offset }) => offset);
      expect(await offsets({ states: ['new', 'seen'] })).toEqual([5, 4, 3, 1]);
      expect(await offsets({ states: ['done'] })).toEqual([2]);
      expect(await offsets({ kinds: ['digest'] })).toEqual([5]);
      expect(await offsets({ priorities: ['low'] })).toEqual([]);
      expect(await offsets({ before: 3 })).toEqual([2, 1]);
      expect(await offsets({ after: 1, states: ['new'], limit: 1 })).toEqual([3]);
      await expect(offsets({ after: 1, before: 3 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    });

    it('says from where it is kept when old items were pruned, and loses nothing else', async () => {
      await world.items(me, 3);
      await world.rows("UPDATE inbox_item SET created_at = '2020-01-01' WHERE user_id = $1 AND inbox_offset <= 2", [me]);
      const retention = new PostgresInboxRetention(world.tables);
      expect(await retention.pruneItems(new Date('2021-01-01'), 1_000)).toBe(2);
      expect(await retention.pruneItems(new Date('2021-01-01'), 1_000)).toBe(0);
      const page = await world.bus.call(push.fetchInbox, 'acme', { after: 0 }, who());
      expect({ ...page, items: page.items.map(({ offset }) => offset) }).toEqual({ epoch: 'epoch-1', head: 3, minOffset: 2, unread: 1, items: [3] });
    });
  });
});
