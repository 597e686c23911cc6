import type { Bus } from '@plexus/bus';
import { pushContracts as push, pushManageContracts as manage } from '@plexus/contracts';
import { plexusError } from '@plexus/contracts';

/** The inboxes of users in memory, with or without the live hints. */
export class PushStandIn {
  private readonly inboxes = new Map<string, push.InboxItem[]>();
  readonly marks: unknown[] = [];
  readonly fetches: unknown[] = [];
  epoch = 'epoch-1';
  /** Items up to it are not kept. */
  minOffset = 0;
  readonly acks: unknown[] = [];
  /** Answers nothing but UNAVAILABLE. */
  away = false;

  constructor(private readonly bus: Bus) {
    bus.serve(push.fetchInbox, async (data, { principal }) => {
      this.present();
      this.fetches.push(data);
      const all = this.items(principal.tenant, principal.user ?? '');
      const items = all.filter(({ offset }) => offset > this.minOffset);
      const page =
        data.after === undefined ? [...items].reverse().slice(0, data.limit) : items.filter(({ offset }) => offset > (data.after ?? 0)).slice(0, data.limit);
      return { epoch: this.epoch, head: all.length, minOffset: this.minOffset, unread: unread(items), items: page };
    });
    bus.serve(push.inboxHeads, async ({ users }, { tenant, principal }) => {
      this.present();
      if (principal.role !== 'service') throw plexusError('FORBIDDEN');
      return { heads: users.map((user) => ({ user, epoch: this.epoch, head: this.items(tenant, user).length })) };
    });
    bus.serve(push.markInbox, async (data, { principal }) => {
      this.marks.push(data);
      const { tenant, user = '' } = principal;
      const items = this.items(tenant, user);
      const meant = items.filter(({ offset, id, state }) => rank(state) < rank(data.state) && (offset <= (data.upTo ?? 0) || data.ids.includes(id)));
      for (const item of meant) items[item.offset - 1] = { ...item, state: data.state };
      const changes = meant.slice(0, 100).map(({ offset, id }) => ({ offset, id, state: data.state }));
      if (meant.length > 0) this.change(tenant, user, unread(items), changes, meant.length > 100);
      return { changed: meant.length, unread: unread(items) };
    });
    bus.serve(push.ackInbox, async (data) => {
      this.acks.push(data);
      return { acknowledged: 1, unread: 0 };
    });
    bus.serve(push.subscribe, async (data, { principal }) => ({
      subscription: { id: 'sub_1', user: principal.user ?? '', createdAt: '2026-11-21T10:00:00Z', ...data },
      created: true,
    }));
    bus.serve(push.unsubscribe, async () => ({ removed: true }));
    serveManaging(bus);
    bus.serve(push.listSubscriptions, async () => ({ subscriptions: [] }));
  }

  /** Writes an item; `hint: false` loses the live hint. */
  deliver(tenant: string, user: string, o: { hint?: boolean } = {}): push.InboxItem {
    const items = this.items(tenant, user);
    const offset = items.length + 1;
    const item: push.InboxItem = {
      offset,
      id: `dlv_${offset}`,
      kind: 'notification',
      priority: 'medium',
      title: `Item ${offset}`,
      events: [],
      reasons: [],
      state: 'new',
      createdAt: '2026-11-21T10:00:00Z',
    };
    items.push(item);
    if (o.hint !== false) this.bus.publishLive(push.inboxItemHint, tenant, [user], { epoch: this.epoch, offset, item });
    return item;
  }

  /** Tells the connections of a user that items were marked. */
  change(tenant: string, user: string, unread: number, changes: push.InboxChange[], more = false): void {
    this.bus.publishLive(push.inboxChangedHint, tenant, [user], { epoch: this.epoch, unread, changes, more });
  }

  /** What the inbox of this user says is unread. */
  unread(tenant: string, user: string): number {
    return unread(this.items(tenant, user));
  }

  /** Forgets everything, as a rebuilt inbox does. */
  rebuild(epoch: string): void {
    this.epoch = epoch;
    this.inboxes.clear();
  }

  private items(tenant: string, user: string): push.InboxItem[] {
    const key = `${tenant}/${user}`;
    const items = this.inboxes.get(key) ?? [];
    this.inboxes.set(key, items);
    return items;
  }

  private present(): void {
    if (this.away) throw plexusError('UNAVAILABLE');
  }
}

const rank = (state: string): number => ['new', 'seen', 'read', 'done'].indexOf(state);

function unread(items: readonly push.InboxItem[]): number {
  return items.filter(({ state }) => state === 'new').length;
}

/** What people say about being reached: what was asked comes back as far as it shows, nothing is kept. */
function serveManaging(bus: Bus): void {
  const at = '2026-11-21T10:00:00Z';
  const subscription = {
    id: 'sub_1',
    user: 'me',
    scopeKind: 'case' as const,
    scopeRef: 'c',
    minSeverity: 'low' as const,
    typePatterns: [],
    level: 'all' as const,
    createdAt: at,
  };
  const contact = { id: 'cnt_1', channel: 'email' as const, address: 'me@example.org', verified: false, createdAt: at };
  bus.serve(push.getSubscription, async () => ({ subscription }));
  bus.serve(push.updateSubscription, async ({ level = 'all' }) => ({ subscription: { ...subscription, level }, changed: true }));
  bus.serve(push.importSubscriptions, async ({ rows, check }) => ({
    ...{ applied: !check, created: rows.length, updated: 0, unchanged: 0, removed: 0, refused: 0 },
    rows: rows.map(() => ({ outcome: 'created' as const })),
  }));
  bus.serve(manage.getPreferences, async () => ({ own: { preferences: [], version: 0 }, tenant: { preferences: [], version: 0 } }));
  bus.serve(manage.setPreferences, async ({ put, replace }) => ({
    preferences: { preferences: put.map((one) => ({ id: one.id ?? 'p1', ...one })), version: replace ? 2 : 1 },
    changed: true,
  }));
  bus.serve(manage.setQuietHours, async ({ quietHours }) => ({
    preferences: { preferences: [], version: 1, ...(quietHours === null ? {} : { quietHours }) },
    changed: true,
  }));
  bus.serve(manage.listSilences, async () => ({ silences: [] }));
  bus.serve(manage.createSilence, async ({ for: whose, matchers, reason, includeCritical, idempotencyKey = 'none' }) => ({
    silence: {
      id: `sil_${idempotencyKey}`,
      for: whose,
      matchers,
      from: at,
      to: at,
      includeCritical,
      reason,
      createdBy: 'me',
      createdAt: at,
      state: 'active' as const,
    },
    created: true,
  }));
  bus.serve(manage.updateSilence, async ({ id, to = at, matchers = [], includeCritical = false, reason = 'r' }) => ({
    silence: { id, for: 'me' as const, matchers, from: at, to, includeCritical, reason, createdBy: 'me', createdAt: at, state: 'active' as const, version: 2 },
    changed: true,
  }));
  bus.serve(manage.expireSilence, async ({ id }) => ({
    silence: {
      id,
      for: 'me' as const,
      matchers: [],
      from: at,
      to: at,
      includeCritical: false,
      reason: 'r',
      createdBy: 'me',
      createdAt: at,
      state: 'expired' as const,
    },
    changed: true,
  }));
  bus.serve(manage.removeSilence, async () => ({ removed: true }));
  const said = { granted: true, saidAt: at, saidBy: 'me' };
  bus.serve(manage.listAccess, async () => ({ grants: [], restricted: [] }));
  bus.serve(manage.grantAccess, async (grant) => ({ grant: { ...grant, ...said }, restricted: true, changed: true }));
  bus.serve(manage.revokeAccess, async (grant) => ({ grant: { ...grant, ...said, granted: false }, restricted: true, changed: true }));
  bus.serve(manage.restrictScope, async ({ restricted }) => ({ restricted, changed: true }));
  bus.serve(manage.listContacts, async () => ({ contacts: [contact] }));
  bus.serve(manage.addContact, async () => ({ contact, created: true, codeSent: true }));
  bus.serve(manage.sendContactCode, async () => ({ codeSent: true, expiresAt: at }));
  bus.serve(manage.verifyContact, async ({ code }) => ({ contact: { ...contact, label: code, verified: true } }));
  bus.serve(manage.removeContact, async () => ({ removed: true }));
}
