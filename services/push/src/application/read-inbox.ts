import { type Clock, isStorableText } from '@plexus/kernel';
import type { InboxItem, ItemState } from '../domain/inbox-item.js';
import type { InboxHead, InboxStore, Owner } from './ports.js';

/** A page leaves room for the envelope inside one NATS message of 1 MiB. */
const MAX_PAGE_BYTES = 640 * 1024;

export interface InboxPage {
  readonly epoch: string;
  readonly head: number;
  readonly unread: number;
  readonly items: InboxItem[];
}

/** Reads and marks inboxes: the truth behind every hint. */
export class ReadInbox {
  constructor(
    private readonly store: InboxStore,
    private readonly clock: Clock,
    private readonly newEpoch: () => string,
  ) {}

  /**
   * One page. It may hold fewer items than `limit` when they are large, but at least one if there is any; whoever reads on
   * continues behind the last offset. A page without items is the end.
   */
  async fetch(owner: Owner, selection: { readonly after?: number; readonly limit: number }): Promise<InboxPage> {
    const { epoch, head } = await this.store.openHead(owner, this.newEpoch());
    const [unread, found] = await Promise.all([this.store.unread(owner), this.store.page(owner, selection)]);
    return { epoch, head: Math.max(head, ...found.map(({ offset }) => offset)), unread, items: fitting(found) };
  }

  /** Moves items forward: new → seen → read → done, never back. */
  async mark(
    owner: Owner,
    selection: { readonly ids: readonly string[]; readonly upTo?: number },
    state: Exclude<ItemState, 'new'>,
  ): Promise<{ changed: number; unread: number }> {
    const changed = await this.store.mark(owner, { ids: selection.ids.filter(isStorableText), upTo: selection.upTo ?? 0 }, state, new Date(this.clock.now()));
    return { changed, unread: await this.store.unread(owner) };
  }

  /** Users without an inbox are left out. */
  async heads(tenant: string, users: readonly string[]): Promise<InboxHead[]> {
    return this.store.heads(tenant, users.filter(isStorableText));
  }
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
