import path from 'node:path';
import { listParked } from '@plexus/bus';
import { type DataOf, pushContracts, pushLogContracts, routingContracts, SCOPES } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { RunningService } from '@plexus/service-kit';
import { createTestDatabase, type TestDatabase, waitFor } from '@plexus/testing';
import { partitionOf } from '../src/domain/partition.js';
import { startPush, startTestMesh, type TestMesh } from './support/mesh.js';
import { prismaFolder } from './support/push-on-postgres.js';

const { subscriptionLogged } = pushLogContracts;
const { subscribe, unsubscribe, listSubscriptions, fetchInbox, markInbox, inboxHeads, inboxItemHint, delivered } = pushContracts;

describe('push in the mesh', () => {
  let mesh: TestMesh;
  let database: TestDatabase;
  let replicas: RunningService[];
  let users = 0;
  /** A user of its own for each test. */
  let me: ReturnType<TestMesh['user']>;
  let name: string;

  beforeAll(async () => {
    mesh = await startTestMesh();
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
    replicas = await Promise.all([startPush(mesh, database.url), startPush(mesh, database.url)]);
  });
  afterAll(async () => {
    await Promise.all((replicas ?? []).map((replica) => replica.stop('end of the test')));
    await database?.drop();
    await mesh?.stop();
  });
  beforeEach(() => {
    users += 1;
    name = `user-${users}`;
    me = mesh.user(name);
  });

  /** As a program that knows nothing of us would: plain NATS, structured CloudEvents JSON. */
  const publish = (key: string, event: Record<string, unknown> | string, source = 'demo') => {
    const body = typeof event === 'string' ? event : JSON.stringify({ specversion: '1.0', source: '/demo', type: 'demo.happened', ...event });
    mesh.gateway.connection.publish(`plexus.in.acme.${source}.happened.v1.${key}`, body);
  };
  const inbox = (who = me) => mesh.gateway.call(fetchInbox, 'acme', { after: 0 }, who);
  const follow = (scopeRef: string, who = me) => mesh.gateway.call(subscribe, 'acme', { scopeKind: 'case', scopeRef }, who);
  const items = (count: number, who = me) =>
    waitFor(async () => ((await inbox(who)).items.length >= count ? inbox(who) : undefined), { what: `${count} items` });

  it('an event of a foreign client is in the inbox of who follows it, hinted to gateways and stated as a fact', async () => {
    const { subscription, created } = await follow('case-1');
    expect(created).toBe(true);
    const hints: unknown[] = [];
    const listening = mesh.gateway.listenLive(inboxItemHint, { tenant: 'acme', key: [name] }, (hint) => void hints.push(hint));
    publish('k1', { id: 'e1', severity: 'high', data: { summary: 'Import finished', caseId: 'case-1', rows: 3 } });

    const { items: found, unread, head, epoch } = await items(1);
    expect({ unread, head }).toEqual({ unread: 1, head: 1 });
    expect(found).toMatchObject([{ title: 'Import finished', priority: 'high', state: 'new', reasons: [{ subscriptionId: subscription.id, method: 'rule' }] }]);
    await waitFor(() => hints.length > 0, { what: 'the hint' });
    expect(hints).toMatchObject([{ epoch, offset: 1, item: { id: found[0]?.id, title: 'Import finished', events: found[0]?.events } }]);
    const fact = await waitFor(() => mesh.gateway.lastOnSubject('PLEXUS_EVT_PUSH', delivered.subject('acme', name)), { what: 'the fact' });
    expect(JSON.parse(Buffer.from(fact.raw).toString()).data).toEqual({
      user: name,
      deliveryId: found[0]?.id,
      offset: 1,
      priority: 'high',
      events: [{ source: '/demo', id: 'e1' }],
    });
    listening.stop();
  });

  it('forgets a person in every table, states what went once, and leaves everybody else alone', async () => {
    const you = mesh.user(`${name}-other`);
    await follow('case-erase');
    await follow('case-erase', you);
    publish('k', { id: `erase-${name}`, data: { caseId: 'case-erase' } });
    const { epoch } = await items(1);
    await items(1, you);
    const stated = await waitFor(() => mesh.gateway.lastOnSubject('PLEXUS_EVT_PUSH', delivered.subject('acme', name)), { what: 'the fact' });
    const input = { subject: subscriptionLogged.subject('acme', String(partitionOf('acme', name)), name), raw: stated.raw, headers: stated.headers };
    await mesh.gateway.park({ ...input, stream: 'PLEXUS_PUSH_LOG', seq: 1, consumer: 'push-decider', attempts: 1, code: 'HANDLER_FAILED', reason: 'test' });
    const erasureId = ulid();
    const request = { erasureId, user: name, requestedBy: 'admin', at: new Date().toISOString() };
    for (const n of [1, 2]) {
      await mesh.gateway.publish(routingContracts.eraseRequested, { tenant: 'acme', key: [erasureId], data: request, id: `${erasureId}-${n}` });
    }
    const receipt = await waitFor(() => mesh.gateway.lastOnSubject('PLEXUS_EVT_USER', routingContracts.userErased.subject('acme', erasureId)), {
      what: 'the receipt',
    });
    const { data } = receipt.json<{ data: DataOf<typeof routingContracts.userErased> }>();
    expect(data).toMatchObject({
      service: 'push',
      user: name,
      counts: { subscription: 1, inbox_item: 1, inbox_head: 1, decision: 1, seen_event: 1, user_state: 1 },
    });
    // The request was said twice: the second time may still be under way.
    await waitFor(
      async () => {
        const left = await Promise.all([
          mesh.gateway.jetstream.subjects('PLEXUS_PUSH_LOG', 'plexus.log.acme.push.>'),
          mesh.gateway.jetstream.subjects('PLEXUS_EVT_PUSH', 'plexus.evt.acme.push.>'),
          mesh.gateway.jetstream.subjects('PLEXUS_DLQ', 'plexus.dlq.acme.push.>'),
        ]);
        return left.flat().every((subject) => !subject.endsWith(`.${name}`));
      },
      { what: 'nothing about the person to be left in the streams' },
    );
    const after = await inbox();
    expect(after).toMatchObject({ items: [], head: 0 });
    expect(after.epoch).not.toBe(epoch);
    await expect(inbox(you)).resolves.toMatchObject({ head: 1 });
    await expect(mesh.gateway.call(listSubscriptions, 'acme', {}, me)).resolves.toMatchObject({ subscriptions: [] });
  });

  it('a user reads, marks and heads only what is its own', async () => {
    const you = mesh.user(`${name}-other`);
    const { subscription } = await follow('case-2');
    publish('k', { id: 'own', data: { caseId: 'case-2' } });
    const { items: found } = await items(1);
    expect((await inbox(you)).items).toEqual([]);
    await expect(mesh.gateway.call(unsubscribe, 'acme', { id: subscription.id }, you)).resolves.toEqual({ removed: false });
    await expect(mesh.gateway.call(markInbox, 'acme', { ids: [found[0]?.id as string], state: 'read' }, you)).resolves.toMatchObject({ changed: 0 });
    await expect(mesh.gateway.call(markInbox, 'acme', { ids: [found[0]?.id as string], state: 'read' }, me)).resolves.toEqual({ changed: 1, unread: 0 });
    await expect(mesh.gateway.call(listSubscriptions, 'acme', {}, me)).resolves.toEqual({ subscriptions: [subscription] });
    await expect(mesh.gateway.call(unsubscribe, 'acme', { id: subscription.id }, me)).resolves.toEqual({ removed: true });
  });

  it('heads are for services; whoever names no user has no inbox', async () => {
    await expect(mesh.gateway.call(inboxHeads, 'acme', { users: [name] }, me)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(mesh.gateway.call(inboxHeads, 'acme', { users: [name] }, mesh.service)).resolves.toEqual({ heads: [] });
    const { epoch } = await inbox();
    await expect(mesh.gateway.call(inboxHeads, 'acme', { users: [name] }, mesh.service)).resolves.toEqual({ heads: [{ user: name, epoch, head: 0 }] });
    await expect(mesh.gateway.call(fetchInbox, 'acme', {}, mesh.service)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('reading and writing need their scopes, and a VM has no inbox', async () => {
    const reader = mesh.user(name, { scopes: [SCOPES.read] });
    await expect(mesh.gateway.call(subscribe, 'acme', { scopeKind: 'all' }, reader)).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(mesh.gateway.call(listSubscriptions, 'acme', {}, reader)).resolves.toEqual({ subscriptions: [] });
    await expect(inbox(mesh.user(name, { scopes: [] }))).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    await expect(inbox(mesh.user(name, { role: 'vm' }))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('nonsense is refused with a code and the service lives on', async () => {
    await expect(mesh.gateway.call(subscribe, 'acme', { scopeKind: 'case', scopeRef: '' }, me)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(mesh.gateway.call(subscribe, 'acme', { scopeKind: 'case', scopeRef: 'a\0b' }, me)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    for (const strange of ['数'.repeat(250), 'a\0b']) {
      const follower = mesh.user(strange);
      await expect(mesh.gateway.call(subscribe, 'acme', { scopeKind: 'all' }, follower)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    }
    await expect(mesh.gateway.call(fetchInbox, 'other', {}, me)).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    await expect(inbox()).resolves.toMatchObject({ items: [] });
  });

  it('what is no CloudEvent is parked with its reason, and the next event is delivered', async () => {
    await follow('case-3');
    publish('broken', '{"specversion": "1.0", "id":');
    publish('incomplete', { specversion: '0.3', id: 'x' });
    publish('foreign', { id: 'x', tenantid: 'other', data: { caseId: 'case-3' } });
    publish('fine', { id: 'fine', data: { caseId: 'case-3' } });
    expect((await items(1)).items).toHaveLength(1);
    const parked = await waitFor(async () => {
      const found = await listParked(mesh.gateway, { tenant: 'acme' });
      return found.length >= 3 ? found : undefined;
    });
    expect(parked.map(({ code }) => code)).toEqual(['INVALID_EVENT', 'INVALID_EVENT', 'INVALID_EVENT']);
  });

  it('the same event from two publishers of one identity is delivered once, under another source token anew', async () => {
    await follow('case-4');
    publish('a', { id: 'twice', data: { caseId: 'case-4' } });
    publish('b', { id: 'twice', data: { caseId: 'case-4' } });
    publish('c', { id: 'twice', data: { caseId: 'case-4' } }, 'elsewhere');
    publish('d', { id: 'last', data: { caseId: 'case-4' } });
    await items(3);
    const { items: found } = await inbox();
    expect(found.map(({ offset }) => offset)).toEqual([1, 2, 3]);
    expect(found.flatMap(({ events }) => events.map(({ id }) => id)).sort()).toEqual(['last', 'twice', 'twice']);
  });

  it('two replicas work off a burst together: everything once, offsets without gaps', async () => {
    await follow('case-5');
    for (let n = 0; n < 300; n += 1) publish(`k${n}`, { id: `burst-${n}`, data: { caseId: 'case-5' } });
    await waitFor(async () => (await mesh.gateway.call(inboxHeads, 'acme', { users: [name] }, mesh.service)).heads[0]?.head === 300, {
      what: '300 items',
    });
    const offsets: number[] = [];
    const ids = new Set<string>();
    for (let after = 0; after < 300; ) {
      const page = await mesh.gateway.call(fetchInbox, 'acme', { after, limit: 200 }, me);
      offsets.push(...page.items.map(({ offset }) => offset));
      for (const { events } of page.items) ids.add(events[0]?.id as string);
      after = offsets.at(-1) as number;
    }
    expect(offsets).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    expect(ids.size).toBe(300);
  });
});
