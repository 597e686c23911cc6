import path from 'node:path';
import { BUCKETS, type DataOf, pushContracts, pushLogContracts, pushManageContracts as manage, routingContracts, SCOPES } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { RunningService } from '@plexus/service-kit';
import { createTestDatabase, type TestDatabase, waitFor } from '@plexus/testing';
import { partitionOf } from '../src/domain/partition.js';
import { startPush, startTestMesh, type TestMesh } from './support/mesh.js';
import { prismaFolder } from './support/push-on-postgres.js';

const { subscribe, updateSubscription, getSubscription, unsubscribe, listSubscriptions, importSubscriptions, fetchInbox } = pushContracts;
type Who = ReturnType<TestMesh['user']>;

describe('what people say about how they want to be reached', () => {
  let mesh: TestMesh;
  let database: TestDatabase;
  let push: RunningService;
  let users = 0;
  let name: string;
  let me: Who;
  let admin: Who;

  beforeAll(async () => {
    mesh = await startTestMesh();
    await (await mesh.gateway.kv(BUCKETS.config)).put('acme', { push: { accessSources: ['iam'] } });
    database = await createTestDatabase(path.join(prismaFolder, 'migrations'), 'push');
    push = await startPush(mesh, database.url);
  });
  afterAll(async () => {
    await push?.stop('end of the test');
    await database?.drop();
    await mesh?.stop();
  });
  beforeEach(() => {
    users += 1;
    name = `user-${users}`;
    me = mesh.user(name);
    admin = mesh.user(`admin-${users}`, { scopes: [SCOPES.admin] });
  });

  const call = <C extends Parameters<TestMesh['gateway']['call']>[0]>(
    rpc: C,
    data: Parameters<typeof mesh.gateway.call<C>>[2],
    who: Who | TestMesh['service'] = me,
  ) => mesh.gateway.call(rpc, 'acme', data, who);
  /** The last entry of a kind in the log; `_`: what concerns everybody, in the partition of this user. */
  const entry = async (kind: keyof typeof LOGGED, user = name, accept: (data: Record<string, unknown>) => boolean = () => true) => {
    const subject = LOGGED[kind].subject('acme', String(partitionOf('acme', name)), user);
    return waitFor(
      async () => {
        const message = await mesh.gateway.lastOnSubject('PLEXUS_PUSH_LOG', subject);
        const data = message && (JSON.parse(Buffer.from(message.raw).toString()).data as Record<string, unknown>);
        return data !== undefined && accept(data) ? data : undefined;
      },
      { what: `an entry on ${subject}` },
    );
  };
  const LOGGED = {
    subscription: pushLogContracts.subscriptionLogged,
    preference: pushLogContracts.preferenceLogged,
    silence: pushLogContracts.silenceLogged,
    grant: pushLogContracts.grantLogged,
  } as const;
  const publish = (source: string, what: string, event: Record<string, unknown>) =>
    mesh.gateway.connection.publish(
      `plexus.in.acme.${source}.${what}.v1.k`,
      JSON.stringify({ specversion: '1.0', source: `/${source}`, type: `${source}.${what}`, ...event }),
    );
  const inbox = async (who = me) => (await call(fetchInbox, { after: 0 }, who)).items;
  const titles = (count: number, who = me) =>
    waitFor(async () => ((await inbox(who)).length >= count ? (await inbox(who)).map(({ title }) => title) : undefined), { what: `${count} items` });

  describe('subscriptions', () => {
    const terms = {
      predicate: { path: 'amount', op: 'gt', value: 100 },
      interestText: 'payments',
      validTo: '2099-01-01T00:00:00.000Z',
      level: 'digest',
    } as const;

    it('are made, read, changed by id and removed; decisions hear of each change once', async () => {
      const { subscription } = await call(subscribe, { scopeKind: 'case', scopeRef: 'c1', ...terms });
      expect(subscription).toMatchObject({ ...terms, version: 1 });
      expect(await call(subscribe, { scopeKind: 'case', scopeRef: 'c1', ...terms })).toEqual({ subscription, created: false });
      expect(await call(getSubscription, { id: subscription.id })).toEqual({ subscription });

      const mutedUntil = '2098-01-01T00:00:00.000Z';
      const muted = await call(updateSubscription, { id: subscription.id, baseVersion: 1, level: 'muted', mutedUntil, interestText: null });
      expect(muted).toMatchObject({ changed: true, subscription: { version: 2, level: 'muted', mutedUntil, predicate: terms.predicate } });
      expect(muted.subscription.interestText).toBeUndefined();
      expect(await entry('subscription')).toEqual({
        id: subscription.id,
        version: 2,
        level: 'muted',
        minSeverity: 'low',
        mutedUntil: Date.parse(mutedUntil),
        removed: false,
      });
      // A repeat is done already, whatever version it was made for; a new wish on an old version is not.
      await expect(call(updateSubscription, { id: subscription.id, baseVersion: 1, level: 'muted', mutedUntil })).resolves.toMatchObject({ changed: false });
      await expect(call(updateSubscription, { id: subscription.id, baseVersion: 1, level: 'all' })).rejects.toMatchObject({ code: 'CONFLICT' });
      const loud = await call(updateSubscription, { id: subscription.id, level: 'all' });
      expect(loud.subscription.mutedUntil).toBeUndefined();

      expect(await call(unsubscribe, { id: subscription.id })).toEqual({ removed: true });
      expect(await entry('subscription', name, ({ removed }) => removed === true)).toMatchObject({ id: subscription.id, version: 4 });
      await expect(call(getSubscription, { id: subscription.id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('of one scope are several under different names, and are listed page by page', async () => {
      for (const named of ['', 'a', 'b']) await call(subscribe, { scopeKind: 'all', name: named, ...(named === '' ? {} : { interestText: named }) });
      await call(subscribe, { scopeKind: 'case', scopeRef: 'c2' });
      const first = await call(listSubscriptions, { limit: 2 });
      const rest = await call(listSubscriptions, { limit: 2, cursor: first.nextCursor as string });
      expect([...first.subscriptions, ...rest.subscriptions].map((one) => one.name ?? one.scopeKind)).toEqual(['all', 'a', 'b', 'case']);
      expect(rest.nextCursor).toBeUndefined();
      expect((await call(listSubscriptions, { scopeKind: 'case' })).subscriptions).toHaveLength(1);
    });

    it.each<[Record<string, unknown>, string]>([
      [{ predicate: { path: 'a', op: 'boom', value: 1 } }, 'predicate.op'],
      [{ predicate: {} }, 'predicate'],
      [{ mutedUntil: '2099-01-01T00:00:00Z' }, 'mutedUntil'],
      [{ validFrom: '2099-01-01T00:00:00Z', validTo: '2098-01-01T00:00:00Z' }, 'validTo'],
      [{ name: 'a\0' }, 'name'],
    ])('%j is refused and said why', async (rest, where) => {
      const refused = call(subscribe, { scopeKind: 'case', scopeRef: 'x', ...rest });
      await expect(refused).rejects.toMatchObject({ code: 'INVALID_REQUEST', details: { issues: [expect.objectContaining({ path: where })] } });
    });

    it('whose predicate holds get the event, others do not', async () => {
      await call(subscribe, { scopeKind: 'topic', scopeRef: `t-${name}`, predicate: { all: [{ path: 'amount', op: 'gt', value: 100 }] } });
      for (const [id, amount] of [
        ['small', 50],
        ['large', 500],
      ]) {
        publish('crm', 'paid', { id: `${name}-${id}`, data: { summary: id, amount, topics: [`t-${name}`] } });
      }
      expect(await titles(1)).toEqual(['large']);
    });
  });

  describe('imports', () => {
    const row = (user: string, scopeRef: string, rest = {}) => ({ user, scopeKind: 'case' as const, scopeRef, ...rest });

    it('are taken as a whole: created, then unchanged, updated and removed, each row reported', async () => {
      const rows = [row(name, 'i1'), row(`${name}-b`, 'i1', { level: 'digest' }), row(name, 'i2')];
      expect(await call(importSubscriptions, { rows, check: true }, admin)).toMatchObject({ applied: false, created: 3 });
      expect(await call(importSubscriptions, { rows }, admin)).toMatchObject({ applied: true, created: 3, rows: [{ outcome: 'created' }, {}, {}] });
      expect(await call(importSubscriptions, { rows }, mesh.service)).toMatchObject({ applied: true, created: 0, unchanged: 3 });
      const changed = [row(name, 'i1', { minSeverity: 'high' }), row(name, 'i2', { remove: true }), row(name, 'i3', { remove: true })];
      const answer = await call(importSubscriptions, { rows: changed }, admin);
      expect(answer.rows.map(({ outcome }) => outcome)).toEqual(['updated', 'removed', 'unchanged']);
      expect((await call(listSubscriptions, {})).subscriptions).toMatchObject([{ scopeRef: 'i1', minSeverity: 'high', version: 2 }]);
      expect(await entry('subscription', name, ({ removed }) => removed === true)).toMatchObject({ removed: true });
    });

    it('change nothing when a row is refused, and every row says what is wrong with it', async () => {
      const rows = [row(name, 'i1'), row(name, 'i1'), row('_', 'i1'), row(name, '', {}), row(name, 'i4', { predicate: { path: 'a' } })];
      const answer = await call(importSubscriptions, { rows }, admin);
      expect(answer).toMatchObject({ applied: false, created: 1, refused: 4 });
      expect(answer.rows.map(({ code, message }) => `${code ?? 'fine'} ${message ?? ''}`.trim())).toEqual([
        'fine',
        expect.stringContaining('the same user, scope and name as row 0'),
        expect.stringContaining('user:'),
        expect.stringContaining('scopeRef:'),
        expect.stringContaining('predicate:'),
      ]);
      expect((await call(listSubscriptions, {})).subscriptions).toEqual([]);
    });

    it('keep to what a user may have', async () => {
      const page = (from: number, count: number) => Array.from({ length: count }, (_, n) => row(name, `q${from + n}`));
      await call(importSubscriptions, { rows: page(0, 500) }, admin);
      const answer = await call(importSubscriptions, { rows: page(499, 2) }, admin);
      expect(answer.rows).toMatchObject([{ outcome: 'unchanged' }, { outcome: 'refused', code: 'QUOTA_EXCEEDED' }]);
      const swapped = [row(name, 'q0', { remove: true }), row(name, 'q500')];
      expect(await call(importSubscriptions, { rows: swapped }, admin)).toMatchObject({ applied: true, created: 1, removed: 1 });
    });
  });

  describe('preferences and quiet hours', () => {
    const hours = { tz: 'Europe/Berlin', start: '22:00', end: '07:00' };
    const mute = { match: { types: ['a.*'] }, channel: 'email', value: 'off' as const };

    it('are one word with one version, told to decisions as a whole', async () => {
      const said = await call(manage.setPreferences, { put: [mute] });
      expect(said).toMatchObject({ changed: true, preferences: { version: 1 } });
      await expect(call(manage.setPreferences, { put: [mute], baseVersion: 0 })).resolves.toMatchObject({ changed: false, preferences: { version: 1 } });
      await expect(call(manage.setQuietHours, { quietHours: hours, baseVersion: 0 })).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await call(manage.setQuietHours, { quietHours: hours, baseVersion: 1 })).toMatchObject({ preferences: { version: 2, quietHours: hours } });
      const id = said.preferences.preferences[0]?.id as string;
      expect(await entry('preference', name, ({ version }) => version === 2)).toMatchObject({ preferences: [{ ...mute, id }], quietHours: hours });
      expect(await call(manage.setPreferences, { remove: [id] })).toMatchObject({ preferences: { version: 3, preferences: [], quietHours: hours } });
      await call(manage.setQuietHours, { quietHours: null });
      const { own } = await call(manage.getPreferences, {});
      expect(own).toMatchObject({ version: 4, preferences: [] });
      expect(own.quietHours).toBeUndefined();
      expect(await entry('preference', name, ({ version }) => version === 4)).not.toHaveProperty('quietHours');
    });

    it('of the tenant are said by an administrator and told to every partition', async () => {
      const { preferences } = await call(manage.setPreferences, { for: 'tenant', put: [mute], replace: true }, admin);
      const { tenant } = await call(manage.getPreferences, {});
      expect(tenant.preferences).toEqual(preferences.preferences);
      await entry('preference', '_', ({ version }) => version === preferences.version);
      const parts = await Promise.all(
        Array.from({ length: pushLogContracts.PUSH_PARTITIONS }, (_, part) =>
          waitFor(() => mesh.gateway.lastOnSubject('PLEXUS_PUSH_LOG', LOGGED.preference.subject('acme', String(part), '_')), { what: `partition ${part}` }),
        ),
      );
      expect(parts).toHaveLength(64);
    });

    it.each([['+02:00'], ['Mars/Olympus']])('refuse %s, which is no time zone', async (tz) => {
      await expect(call(manage.setQuietHours, { quietHours: { ...hours, tz } })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    });
  });

  describe('silences', () => {
    const draft = { matchers: [{ label: 'case', op: '=' as const, value: 's1' }], seconds: 3_600, reason: 'planned work' };

    it('are made once per key, listed with who and why, ended and removed', async () => {
      const { silence, created } = await call(manage.createSilence, { ...draft, idempotencyKey: 'k1' });
      expect({ created, silence }).toMatchObject({ created: true, silence: { for: 'me', state: 'active', createdBy: name, reason: 'planned work' } });
      expect(await call(manage.createSilence, { ...draft, idempotencyKey: 'k1' })).toEqual({ silence, created: false });
      await expect(call(manage.createSilence, { ...draft, reason: 'other', idempotencyKey: 'k1' })).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(await entry('silence')).toMatchObject({ id: silence.id, to: Date.parse(silence.to), removed: false });

      const ended = await call(manage.expireSilence, { id: silence.id });
      expect(ended).toMatchObject({ changed: true, silence: { state: 'expired', endedBy: name } });
      expect(await call(manage.expireSilence, { id: silence.id })).toMatchObject({ changed: false });
      expect((await call(manage.listSilences, {})).silences).toEqual([]);
      expect((await call(manage.listSilences, { expired: true })).silences).toMatchObject([{ id: silence.id }]);
      expect(await entry('silence', name, ({ to }) => to === Date.parse(ended.silence.to))).toMatchObject({ id: silence.id });
      expect(await call(manage.removeSilence, { id: silence.id })).toEqual({ removed: true });
      expect(await call(manage.removeSilence, { id: silence.id })).toEqual({ removed: false });
      await entry('silence', name, ({ removed }) => removed === true);
    });

    it('are changed while they are not over: what they cover, how long and why; decisions hear of it once', async () => {
      const { silence } = await call(manage.createSilence, draft);
      const to = new Date(Date.parse(silence.to) + 3_600_000).toISOString();
      const matchers = [{ label: 'case', op: '=' as const, value: 's2' }];
      const changed = await call(manage.updateSilence, { id: silence.id, baseVersion: 1, to, matchers, includeCritical: true, reason: 'longer' });
      expect(changed).toEqual({ changed: true, silence: { ...silence, to, matchers, includeCritical: true, reason: 'longer', version: 2 } });
      expect(await entry('silence', name, ({ to: end }) => end === Date.parse(to))).toMatchObject({ id: silence.id, matchers, includeCritical: true });
      expect(await call(manage.updateSilence, { id: silence.id, baseVersion: 1, to, reason: 'longer' })).toEqual({ ...changed, changed: false });
      expect((await call(manage.listSilences, {})).silences).toEqual([changed.silence]);
      const refused = (rest: object) => call(manage.updateSilence, { id: silence.id, ...rest });
      await expect(refused({ reason: 'too late', baseVersion: 1 })).rejects.toMatchObject({ code: 'CONFLICT', details: { version: 2 } });
      await expect(refused({ matchers: [{ label: 'colour', op: '=', value: 'red' }] })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      for (const end of [{ to: '2020-01-01T00:00:00Z' }, { to: '2099-01-01T00:00:00Z' }, { to, seconds: 60 }]) {
        await expect(refused(end)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      }
      await call(manage.expireSilence, { id: silence.id });
      await expect(refused({ seconds: 60 })).rejects.toMatchObject({ code: 'CONFLICT' });
      await expect(call(manage.updateSilence, { id: 'sil_unknown', seconds: 60 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('of the tenant are an administrator’s, and everybody sees them', async () => {
      const { silence } = await call(manage.createSilence, { ...draft, for: 'tenant' }, admin);
      await entry('silence', '_', ({ id }) => id === silence.id);
      const listed = (await call(manage.listSilences, { for: 'tenant', limit: 200 })).silences;
      expect(listed).toContainEqual(silence);
      await expect(call(manage.updateSilence, { id: silence.id, seconds: 60 })).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
      await expect(call(manage.expireSilence, { id: silence.id })).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
      await expect(call(manage.expireSilence, { id: silence.id }, admin)).resolves.toMatchObject({ changed: true });
    });

    it('are listed page by page, the last to end first', async () => {
      for (const seconds of [60, 120, 180]) await call(manage.createSilence, { ...draft, seconds });
      const first = await call(manage.listSilences, { limit: 2 });
      const rest = await call(manage.listSilences, { limit: 2, cursor: first.nextCursor as string });
      const ends = [...first.silences, ...rest.silences].map(({ to }) => Date.parse(to));
      expect(ends).toHaveLength(3);
      expect(ends).toEqual([...ends].sort((a, b) => b - a));
      await expect(call(manage.listSilences, { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      for (const forged of [
        [9e15, 'sil_x'],
        [1.5, 'sil_x'],
        [Date.now(), 'sil_\0'],
      ]) {
        const cursor = Buffer.from(JSON.stringify(forged)).toString('base64url');
        await expect(call(manage.listSilences, { cursor })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      }
    });

    it.each([
      [{ matchers: [{ label: 'colour', op: '=', value: 'red' }] }, 'matchers.0.label'],
      [{ seconds: undefined }, 'to'],
      [{ to: '2020-01-01T00:00:00Z', seconds: undefined }, 'to'],
    ])('%j is refused and said why', async (rest, where) => {
      const data = Object.fromEntries(Object.entries({ ...draft, ...rest }).filter(([, value]) => value !== undefined)) as unknown as typeof draft;
      await expect(call(manage.createSilence, data)).rejects.toMatchObject({
        details: { issues: expect.arrayContaining([expect.objectContaining({ path: where })]) },
      });
    });
  });

  describe('access', () => {
    const scope = () => ({ scopeKind: 'case' as const, scopeRef: `a-${name}` });
    const say = (what: string, id: string, data: Record<string, unknown>, source = 'iam') => publish(source, what, { id: `${name}-${id}`, data });
    const grantsOf = async () => (await call(manage.listAccess, scope(), admin)).grants;

    it('is what administrators say; the first grant shuts out everybody else', async () => {
      const until = '2099-01-01T00:00:00.000Z';
      const answer = await call(manage.grantAccess, { user: name, ...scope(), until }, admin);
      expect(answer).toMatchObject({ changed: true, restricted: true, grant: { granted: true, until, saidBy: admin.principal.user } });
      expect(await call(manage.grantAccess, { user: name, ...scope(), until }, admin)).toMatchObject({ changed: false, grant: answer.grant });
      expect(await entry('grant')).toEqual({ ...scope(), change: 'granted', until: Date.parse(until) });
      expect(await entry('grant', '_', ({ scopeRef }) => scopeRef === scope().scopeRef)).toMatchObject({ change: 'restricted' });
      expect(await call(manage.revokeAccess, { user: name, ...scope() }, admin)).toMatchObject({ changed: true, restricted: true, grant: { granted: false } });
      await entry('grant', name, ({ change }) => change === 'revoked');
      expect(await call(manage.restrictScope, { ...scope(), restricted: false }, admin)).toEqual({ restricted: false, changed: true });
      await entry('grant', '_', ({ scopeRef, change }) => scopeRef === scope().scopeRef && change === 'unrestricted');
      expect(await call(manage.listAccess, {})).toMatchObject({ grants: [{ user: name, granted: false }], restricted: [] });
      await expect(call(manage.listAccess, { user: 'you' })).rejects.toMatchObject({ code: 'MISSING_SCOPE' });
    });

    it('is what events of the named sources say, and of no others; repeats and old words change nothing', async () => {
      say('access-granted', 'forged', { user: 'thief', ...scope() }, 'crm');
      say('access-granted', 'bad', { user: name, scopeKind: 'everything', scopeRef: 'x' });
      say('access-granted', 'g1', { user: name, ...scope() });
      await waitFor(async () => (await grantsOf()).length > 0, { what: 'the grant' });
      expect(await grantsOf()).toMatchObject([{ user: name, granted: true, saidBy: 'iam' }]);
      say('access-granted', 'g1', { user: name, ...scope() });
      say('access-revoked', 'r1', { user: name, ...scope() });
      await waitFor(async () => (await grantsOf())[0]?.granted === false, { what: 'the revocation' });
      expect(await entry('grant', name, ({ change }) => change === 'revoked')).toMatchObject(scope());
      expect(await grantsOf()).toHaveLength(1);
    });

    it('decides who is told: a holder is, others are not', async () => {
      const you = mesh.user(`${name}-you`);
      for (const who of [me, you]) await call(subscribe, { scopeKind: 'topic', scopeRef: `t-${name}` }, who);
      say('access-granted', 'g', { user: name, ...scope() });
      await entry('grant');
      await entry('grant', '_', ({ scopeRef }) => scopeRef === scope().scopeRef);
      const parts = partitionOf('acme', `${name}-you`);
      await waitFor(
        async () => {
          const message = await mesh.gateway.lastOnSubject('PLEXUS_PUSH_LOG', LOGGED.grant.subject('acme', String(parts), '_'));
          return message !== undefined && Buffer.from(message.raw).toString().includes(scope().scopeRef);
        },
        { what: 'the restriction in the other partition' },
      );
      publish('crm', 'noted', { id: `${name}-1`, data: { summary: 'secret', caseId: scope().scopeRef, topics: [`t-${name}`] } });
      expect(await titles(1)).toEqual(['secret']);
      publish('crm', 'noted', { id: `${name}-2`, data: { summary: 'public', topics: [`t-${name}`] } });
      expect(await titles(1, you)).toEqual(['public']);
    });
  });

  describe('rights', () => {
    const id = { id: 'sub_unknown' };
    const grant = { user: 'you', scopeKind: 'case' as const, scopeRef: 'c' };
    const silence = { matchers: [{ label: 'case', op: '=' as const, value: 'c' }], seconds: 60, reason: 'r' };
    const writes = [
      [subscribe, { scopeKind: 'all' }],
      [updateSubscription, id],
      [unsubscribe, id],
      [manage.setPreferences, {}],
      [manage.setQuietHours, { quietHours: null }],
      [manage.createSilence, silence],
      [manage.updateSilence, { ...id, seconds: 60 }],
      [manage.expireSilence, id],
      [manage.removeSilence, id],
      [manage.addContact, { channel: 'email', address: 'me@example.org' }],
      [manage.verifyContact, { ...id, code: '1' }],
      [manage.sendContactCode, id],
      [manage.removeContact, id],
    ] as const;
    const reads = [
      [getSubscription, id],
      [listSubscriptions, {}],
      [manage.getPreferences, {}],
      [manage.listSilences, {}],
      [manage.listSilences, { for: 'tenant' }],
      [manage.listAccess, {}],
      [manage.listContacts, {}],
    ] as const;
    const admins = [
      [importSubscriptions, { rows: [{ user: 'you', scopeKind: 'all' }] }],
      [manage.setPreferences, { for: 'tenant' }],
      [manage.setQuietHours, { for: 'tenant', quietHours: null }],
      [manage.createSilence, { ...silence, for: 'tenant' }],
      [manage.grantAccess, grant],
      [manage.revokeAccess, grant],
      [manage.restrictScope, { scopeKind: 'case', scopeRef: 'c', restricted: false }],
    ] as const;
    const refused = (calls: readonly (readonly [unknown, unknown])[], who: () => Who, code: string) =>
      Promise.all(
        calls.map(async ([rpc, data]) => {
          const { name: method } = rpc as { name: string };
          const answer = await mesh.gateway.call(rpc as typeof subscribe, 'acme', data as { scopeKind: 'all' }, who()).then(
            () => 'answered',
            (error: { code?: string }) => error.code,
          );
          expect([method, answer]).toEqual([method, code]);
        }),
      );

    it('a credential without the scope may not', async () => {
      await refused([...writes, ...admins], () => mesh.user(name, { scopes: [SCOPES.read] }), 'MISSING_SCOPE');
      await refused(reads, () => mesh.user(name, { scopes: [] }), 'MISSING_SCOPE');
      await refused(admins, () => me, 'MISSING_SCOPE');
    });

    it('a VM may nothing', async () => {
      await refused([...reads, ...writes, ...admins], () => mesh.user(name, { role: 'vm', scopes: [SCOPES.admin] }), 'FORBIDDEN');
    });

    it('a credential of another tenant may nothing', async () => {
      await refused([...reads, ...writes, ...admins], () => mesh.user(name, { tenant: 'other', scopes: [SCOPES.admin] }), 'TENANT_MISMATCH');
    });

    it('the user `_`, who is everybody, is nobody’s name', async () => {
      await refused([...reads.filter(([rpc]) => rpc !== manage.listSilences), ...writes], () => mesh.user('_'), 'INVALID_REQUEST');
    });

    it('what is another user’s is not there', async () => {
      const { subscription } = await call(subscribe, { scopeKind: 'case', scopeRef: 'mine' });
      const { silence: mine } = await call(manage.createSilence, silence);
      const you = mesh.user(`${name}-you`, { scopes: [SCOPES.admin] });
      await refused(
        [
          [getSubscription, { id: subscription.id }],
          [updateSubscription, { id: subscription.id, level: 'muted' }],
          [manage.updateSilence, { id: mine.id, seconds: 60 }],
          [manage.expireSilence, { id: mine.id }],
          [manage.removeSilence, { id: mine.id }],
        ],
        () => you,
        'NOT_FOUND',
      );
      expect(await call(unsubscribe, { id: subscription.id }, you)).toEqual({ removed: false });
      expect((await call(listSubscriptions, {})).subscriptions).toEqual([subscription]);
      expect((await call(manage.listSilences, {})).silences).toMatchObject([{ id: mine.id, state: 'active' }]);
    });
  });

  it('a person is forgotten in every table, and what was done for others stays without the name', async () => {
    const user = mesh.user(name, { scopes: [SCOPES.admin] });
    await call(subscribe, { scopeKind: 'all' }, user);
    await call(manage.setPreferences, { put: [{ match: {}, value: 'off', channel: 'email' }] }, user);
    await call(manage.setQuietHours, { quietHours: { tz: 'UTC', start: '01:00', end: '02:00' } }, user);
    await call(manage.createSilence, { matchers: [{ label: 'case', op: '=', value: 'c' }], seconds: 60, reason: 'r' }, user);
    await call(manage.grantAccess, { user: name, scopeKind: 'case', scopeRef: `e-${name}` }, user);
    await call(
      manage.addContact,
      { channel: 'webpush', subscription: { endpoint: 'https://push.example.org/1', keys: { p256dh: 'A'.repeat(87), auth: 'A'.repeat(22) } } },
      user,
    );
    const { silence } = await call(manage.createSilence, { for: 'tenant', matchers: [{ label: 'case', op: '=', value: 'c' }], seconds: 60, reason: 'r' }, user);

    const erasureId = ulid();
    const data = { erasureId, user: name, requestedBy: 'admin', at: new Date().toISOString() };
    await mesh.gateway.publish(routingContracts.eraseRequested, { tenant: 'acme', key: [erasureId], data });
    const receipt = await waitFor(() => mesh.gateway.lastOnSubject('PLEXUS_EVT_USER', routingContracts.userErased.subject('acme', erasureId)), {
      what: 'the receipt',
    });
    const { counts } = JSON.parse(Buffer.from(receipt.raw).toString()).data as DataOf<typeof routingContracts.userErased>;
    expect(counts).toMatchObject({ subscription: 1, preference: 1, quiet_hours: 1, silence: 1, access_grant: 1, contact: 1 });

    expect(await call(listSubscriptions, {})).toEqual({ subscriptions: [] });
    expect((await call(manage.getPreferences, {})).own).toEqual({ preferences: [], version: 0 });
    expect((await call(manage.listContacts, {})).contacts).toEqual([]);
    expect((await call(manage.listSilences, { expired: true })).silences).toEqual([]);
    expect((await call(manage.listAccess, {})).grants).toEqual([]);
    expect((await call(manage.listSilences, { for: 'tenant', limit: 200 })).silences).toContainEqual({ ...silence, createdBy: '' });
    // Said anew it begins anew, and decisions hear of it.
    await call(manage.setPreferences, { put: [{ match: {}, value: 'on', channel: 'email' }] });
    expect(await entry('preference', name, ({ preferences }) => (preferences as { value: string }[])[0]?.value === 'on')).toMatchObject({ version: 1 });
  });
});
