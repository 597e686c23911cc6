import type { pushContracts as push } from '@plexus/contracts';

type InboxItem = push.InboxItem;

const MAX_ITEMS = 64;
/** Long enough for whoever was cut off to come back; short enough that nobody is told of items as they were an age ago. */
const KEPT_MS = 60_000;
/** What a string costs for each of its characters, at most. */
const BYTES_PER_CHARACTER = 2;

/** What the recent items of all inboxes of a process may come to. */
export const RECENT_LIMITS = { items: 50_000, bytes: 32 * 1024 * 1024 } as const;

interface Weight {
  readonly items: number;
  readonly bytes: number;
}

/**
 * Bounds what all inboxes of a process keep together: whoever has had nothing new for longest loses theirs first, and reads a page of the inbox when
 * it resumes.
 */
export class RecentBudget {
  /** The one that got something last at the end. */
  private readonly weights = new Map<RecentItems, Weight>();
  private total: Weight = { items: 0, bytes: 0 };

  constructor(
    private readonly limits: Weight = RECENT_LIMITS,
    private readonly onForgotten: () => void = () => undefined,
  ) {}

  get kept(): Weight {
    return this.total;
  }

  weigh(items: RecentItems, weight: Weight, isNew: boolean): void {
    const before = this.weights.get(items) ?? { items: 0, bytes: 0 };
    this.total = { items: this.total.items - before.items + weight.items, bytes: this.total.bytes - before.bytes + weight.bytes };
    if (isNew || weight.items === 0) this.weights.delete(items);
    if (weight.items > 0) this.weights.set(items, weight);
    while (this.total.items > this.limits.items || this.total.bytes > this.limits.bytes) {
      const [oldest] = this.weights.keys();
      if (oldest === undefined) return;
      this.onForgotten();
      oldest.clear();
    }
  }
}

/** The newest items of one inbox, without a gap up to its head: whoever was away for a moment needs no page of the inbox. */
export class RecentItems {
  private readonly items: { readonly item: InboxItem; readonly until: number; readonly bytes: number }[] = [];
  private bytes = 0;

  constructor(private readonly budget?: RecentBudget) {}

  /** The item behind the last one that was added. `now` is monotonic, ms. */
  add(item: InboxItem, now: number): void {
    if (this.items.length > 0 && this.items.at(-1)?.item.offset !== item.offset - 1) this.clear();
    const bytes = this.budget === undefined ? 0 : JSON.stringify(item).length * BYTES_PER_CHARACTER;
    this.items.push({ item, until: now + KEPT_MS, bytes });
    this.bytes += bytes;
    this.drop(now);
    this.weigh(true);
  }

  /** Items may have changed, or are numbered anew. */
  clear(): void {
    if (this.items.length === 0) return;
    this.items.length = 0;
    this.bytes = 0;
    this.weigh(false);
  }

  prune(now: number): void {
    if (this.drop(now)) this.weigh(false);
  }

  /** Everything in (offset, head]; undefined when some of it is not here. */
  between(offset: number, head: number, now: number): readonly InboxItem[] | undefined {
    this.prune(now);
    if (offset === head) return [];
    const [first] = this.items;
    if (first === undefined || offset > head || first.item.offset > offset + 1 || this.items.at(-1)?.item.offset !== head) return undefined;
    return this.items.slice(offset + 1 - first.item.offset).map(({ item }) => item);
  }

  private drop(now: number): boolean {
    let gone = Math.max(0, this.items.length - MAX_ITEMS);
    while (gone < this.items.length && (this.items[gone]?.until ?? 0) <= now) gone += 1;
    if (gone === 0) return false;
    for (const { bytes } of this.items.splice(0, gone)) this.bytes -= bytes;
    return true;
  }

  private weigh(isNew: boolean): void {
    this.budget?.weigh(this, { items: this.items.length, bytes: this.bytes }, isNew);
  }
}
