import type { pushContracts as push } from '@plexus/contracts';

type InboxItem = push.InboxItem;

const MAX_ITEMS = 64;
/** Long enough for whoever was cut off to come back; short enough that nobody is told of items as they were an age ago. */
const KEPT_MS = 60_000;

/** The newest items of one inbox, without a gap up to its head: whoever was away for a moment needs no page of the inbox. */
export class RecentItems {
  private readonly items: { readonly item: InboxItem; readonly until: number }[] = [];

  /** The item behind the last one that was added. `now` is monotonic, ms. */
  add(item: InboxItem, now: number): void {
    if (this.items.length > 0 && this.items.at(-1)?.item.offset !== item.offset - 1) this.clear();
    this.items.push({ item, until: now + KEPT_MS });
    this.prune(now);
  }

  /** Items may have changed, or are numbered anew. */
  clear(): void {
    this.items.length = 0;
  }

  prune(now: number): void {
    let gone = Math.max(0, this.items.length - MAX_ITEMS);
    while (gone < this.items.length && (this.items[gone]?.until ?? 0) <= now) gone += 1;
    if (gone > 0) this.items.splice(0, gone);
  }

  /** Everything in (offset, head]; undefined when some of it is not here. */
  between(offset: number, head: number, now: number): readonly InboxItem[] | undefined {
    this.prune(now);
    if (offset === head) return [];
    const [first] = this.items;
    if (first === undefined || offset > head || first.item.offset > offset + 1 || this.items.at(-1)?.item.offset !== head) return undefined;
    return this.items.slice(offset + 1 - first.item.offset).map(({ item }) => item);
  }
}
