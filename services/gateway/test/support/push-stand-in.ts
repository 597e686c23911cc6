import type { Bus } from '@plexus/bus';
import { pushContracts as push } from '@plexus/contracts';
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
      return { epoch: this.epoch, head: all.length, minOffset: this.minOffset, unread: items.length, items: page };
    });
    bus.serve(push.inboxHeads, async ({ users }, { tenant, principal }) => {
      this.present();
      if (principal.role !== 'service') throw plexusError('FORBIDDEN');
      return { heads: users.map((user) => ({ user, epoch: this.epoch, head: this.items(tenant, user).length })) };
    });
    bus.serve(push.markInbox, async (data) => {
      this.marks.push(data);
      return { changed: 1, unread: 0 };
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
  change(tenant: string, user: string, unread: number, changes: push.InboxChange[]): void {
    this.bus.publishLive(push.inboxChangedHint, tenant, [user], { epoch: this.epoch, unread, changes });
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
