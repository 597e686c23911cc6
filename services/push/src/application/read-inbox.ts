import { errors } from '@plexus/contracts';
import { type Clock, isStorableText } from '@plexus/kernel';
import type { InboxItem, ItemState } from '../domain/inbox-item.js';
import type { InboxHead, InboxHints, InboxInput, InboxSelection, InboxStore, InboxTarget, Owner, TouchedItem, TouchedItems } from './ports.js';

/** A page leaves room for the envelope inside one NATS message of 1 MiB. */
const MAX_PAGE_BYTES = 640 * 1024;
/** Of one entry of the log. */
const MAX_IDS = 500;

export interface InboxPage {
  readonly epoch: string;
  readonly head: number;
  readonly minOffset: number;
  readonly unread: number;
  readonly items: InboxItem[];
}

/** Reads inboxes, marks and acknowledges their items: the truth behind every hint. */
export class ReadInbox {
  constructor(
    private readonly store: InboxStore,
    private readonly hints: Pick<InboxHints, 'itemsChanged'>,
    private readonly clock: Clock,
    private readonly newEpoch: () => string,
  ) {}

  /**
   * One page. It may hold fewer items than `limit` when they are large, but at least one if there is any; whoever reads on
   * continues behind the last offset. A page without items is the end.
   */
  async fetch(owner: Owner, selection: InboxSelection): Promise<InboxPage> {
    if (selection.after !== undefined && selection.before !== undefined) {
      throw errors.create('INVALID_REQUEST', { message: 'Either `after` or `before`, not both.' });
    }
    const { epoch, head, minOffset } = await this.store.openHead(owner, this.newEpoch());
    const [unread, found] = await Promise.all([
      this.store.unread(owner),
      this.store.page(owner, { ...selection, kinds: selection.kinds?.filter(isStorableText) }),
    ]);
    return { epoch, head: Math.max(head, ...found.map(({ offset }) => offset)), minOffset, unread, items: fitting(found) };
  }

  /** Moves items forward: new → seen → read → done, never back. What is done is acknowledged as well. */
  async mark(
    owner: Owner,
    selection: { readonly ids: readonly string[]; readonly upTo?: number | undefined },
    state: Exclude<ItemState, 'new'>,
  ): Promise<{ changed: number; unread: number }> {
    const inputs = ({ marked, acknowledged }: TouchedItems) => [...readInputs(marked, state), ...ackInputs(acknowledged)];
    const touched = await this.store.mark(owner, targetOf(selection.ids, selection.upTo), state, new Date(this.clock.now()), inputs);
    return { changed: touched.marked.length, unread: await this.#tell(owner, touched) };
  }

  /** Acknowledges one item (by id) or everything up to an offset. Fails with INVALID_REQUEST when it is about nothing. */
  async acknowledge(
    owner: Owner,
    { deliveryId, upTo }: { readonly deliveryId?: string | undefined; readonly upTo?: number | undefined },
  ): Promise<{ acknowledged: number; unread: number }> {
    if (deliveryId === undefined && upTo === undefined) throw errors.create('INVALID_REQUEST', { message: 'Needs deliveryId or upTo.' });
    const target = targetOf(deliveryId === undefined ? [] : [deliveryId], upTo);
    const inputs = ({ acknowledged }: TouchedItems) => [...readInputs(acknowledged, 'read'), ...ackInputs(acknowledged, deliveryId)];
    const touched = await this.store.acknowledge(owner, target, new Date(this.clock.now()), inputs);
    return { acknowledged: touched.acknowledged.length, unread: await this.#tell(owner, touched) };
  }

  /** Users without an inbox are left out. */
  async heads(tenant: string, users: readonly string[]): Promise<InboxHead[]> {
    return this.store.heads(tenant, users.filter(isStorableText));
  }

  /** Tells every connection of the user how things stand now; returns what is unread. */
  async #tell(owner: Owner, { marked, acknowledged }: TouchedItems): Promise<number> {
    const ids = new Set([...marked, ...acknowledged].map(({ id }) => id));
    if (ids.size === 0) return this.store.unread(owner);
    const update = await this.store.changesOf(owner, [...ids]);
    this.hints.itemsChanged(owner.tenant, owner.user, update);
    return update.unread;
  }
}

function targetOf(ids: readonly string[], upTo: number | undefined): InboxTarget {
  return { ids: ids.filter(isStorableText), upTo: upTo ?? 0 };
}

function readInputs(touched: readonly TouchedItem[], state: Exclude<ItemState, 'new'>): InboxInput[] {
  const ids = touched.map(({ id }) => id);
  return Array.from({ length: Math.ceil(ids.length / MAX_IDS) }, (_, part) => ({
    kind: 'read',
    deliveryIds: ids.slice(part * MAX_IDS, (part + 1) * MAX_IDS),
    state,
  }));
}

/** Whoever names an item wants to be sure; what is swept up with others is told only where an escalation may be under way. */
function ackInputs(touched: readonly TouchedItem[], named?: string): InboxInput[] {
  return touched.filter(({ id, escalates }) => escalates || id === named).map(({ id }) => ({ kind: 'ack', deliveryId: id }));
}

function fitting(items: readonly InboxItem[]): InboxItem[] {
  const page: InboxItem[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (page.length > 0 && bytes > MAX_PAGE_BYTES) break;
    page.push(item);
  }
  return page;
}
