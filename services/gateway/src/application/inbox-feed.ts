import { CLOSE_CODES } from '@plexus/client-protocol';
import { type DataOf, plexusError, type Principal, pushContracts as push } from '@plexus/contracts';
import { type Clock, fullJitter } from '@plexus/kernel';
import { canResume, formatCursor, type InboxCursor, judgeHint } from '../domain/inbox-cursor.js';
import { type SharedEvent, shareEvent, type Sharing } from './client-connection.js';
import { drained, hasRoom, type InboxReader, type Member, pause } from './inbox-pace.js';
import type { PageGate } from './page-gate.js';
import type { Log, Mesh } from './ports.js';
import { type RecentBudget, RecentItems } from './recent-items.js';

type InboxItem = push.InboxItem;

/** What `inbox.resume` answers. Every item in (cursor, head] was sent as `inbox.item` before, iff `recovered`. */
export interface ResumeResult {
  readonly recovered: boolean;
  readonly count: number;
  readonly head: number;
  readonly cursor: string;
  readonly unread: number;
  readonly snapshot?: { readonly items: readonly InboxItem[] };
}

const PAGE = 200;
const SNAPSHOT = 50;
const MAX_EARLY_HINTS = 64;
const LAG_PAGE = 64;
const RETRY = { baseMs: 100, capMs: 5_000 };

/**
 * The inbox of one user as the connections of this process see it. The inbox itself is the truth; a hint only says that there is more.
 * Each member gets offsets without gaps, in order, each once.
 */
export class InboxFeed {
  private position: InboxCursor | undefined;
  private readonly members = new Map<InboxReader, Member>();
  private readonly early: { cursor: InboxCursor; item: InboxItem }[] = [];
  private target = 0;
  private filling = false;
  /** Where this feed stood, and when, as the inbox said first that it ends before that. */
  private doubted: (InboxCursor & { readonly at: number }) | undefined;
  private readonly recent: RecentItems;
  /** As far as it is known here; whoever was told something else is told again by {@link settleUnread}. */
  private unread: number | undefined;
  /** New items, changes and repaired gaps since what is unread was last settled. */
  private readonly since = { items: 0, changes: 0, repairs: 0 };

  constructor(
    readonly tenant: string,
    readonly user: string,
    private readonly mesh: Mesh,
    private readonly clock: Clock,
    private readonly gate: PageGate,
    private readonly log: Log,
    budget?: RecentBudget,
  ) {
    this.recent = new RecentItems(budget);
  }

  /** Nobody reads here any more. */
  forget(): void {
    this.recent.clear();
  }

  get size(): number {
    return this.members.size;
  }

  /** Newest offset that was handed out here; undefined while the inbox could not be asked yet. */
  get head(): number | undefined {
    return this.position?.offset;
  }

  /** From now on the connection gets what is new; with `live: false` not before it has resumed. */
  join(connection: InboxReader, { live = true }: { readonly live?: boolean } = {}): void {
    const last = this.position?.offset ?? 0;
    this.members.set(connection, { last, live, acked: last, missed: 0 });
  }

  /** The reader has everything up to `offset`. */
  acked(reader: InboxReader, offset: number): void {
    const member = this.members.get(reader);
    if (member === undefined || offset <= member.acked) return;
    member.acked = Math.min(offset, member.last);
    member.wake?.();
  }

  /** The reader is behind and takes no live items: from now on it is served from the inbox, until it is at the head again. */
  lag(reader: InboxReader): void {
    const member = this.members.get(reader);
    // Whoever is being brought up to date goes on from where that ends.
    if (member?.live === true) this.catchUp(reader, member);
  }

  leave(connection: InboxReader): void {
    this.members.delete(connection);
  }

  /** A live hint came. */
  hint(cursor: InboxCursor, item: InboxItem): void {
    if (this.position === undefined) {
      if (this.early.length < MAX_EARLY_HINTS) this.early.push({ cursor, item });
      return;
    }
    switch (judgeHint(this.position, cursor)) {
      case 'next':
        this.deliver(item);
        return;
      case 'gap':
        this.fill(cursor.offset);
        return;
      case 'rebuilt':
        this.begin({ epoch: cursor.epoch, offset: cursor.offset - 1 });
        this.deliver(item);
        return;
      default:
    }
  }

  /** Items that were there before have changed. Whoever is being brought up to date hears at the end of it that there is something to read again. */
  changed(change: DataOf<typeof push.inboxChangedHint>): void {
    this.since.changes += 1;
    this.recent.clear();
    this.unread = change.unread;
    this.tell(change);
  }

  /**
   * Items and changes reach us by different ways, so that a client may count an item twice or not at all as unread: what is unread is asked for
   * and told once more, when both came since it was asked for last. Called again and again; asks nothing while nothing happens.
   */
  async settleUnread(): Promise<void> {
    const { items, changes, repairs } = this.since;
    const { position } = this;
    this.recent.prune(this.clock.monotonic());
    if (position === undefined || (repairs === 0 && (items === 0 || changes === 0))) return;
    const page = await this.fetch(this.ownPrincipal(), position.offset, 1);
    const { since } = this;
    const quiet = since.items === items && since.changes === changes && since.repairs === repairs;
    if (!quiet || page.epoch !== position.epoch || page.head !== position.offset) return;
    Object.assign(since, { items: 0, changes: 0, repairs: 0 });
    this.unread = page.unread;
    this.tell({ epoch: page.epoch, unread: page.unread, changes: [], more: false });
  }

  private tell(change: DataOf<typeof push.inboxChangedHint>): void {
    const shared = shareEvent('inbox.changed', change, true);
    for (const [reader, member] of this.members) if (!member.live || reader.send(shared) === false) member.missed += 1;
  }

  /** The head as the owner of the inbox states it, and when it was asked: finds a lost hint, and sets the starting point the first time. */
  headIs(head: InboxCursor, askedAt = this.clock.monotonic()): void {
    if (this.position === undefined) {
      // Hints that came first are new to everybody here, although the head already counts them.
      const first = this.early.find(({ cursor }) => cursor.epoch === head.epoch)?.cursor.offset ?? head.offset + 1;
      this.begin({ epoch: head.epoch, offset: Math.min(head.offset, first - 1) });
      for (const { cursor, item } of this.early.splice(0)) this.hint(cursor, item);
    }
    const position = this.position as InboxCursor;
    const verdict = judgeHint(position, head);
    if (verdict === 'known' && head.offset < position.offset) this.doubt(position, head, askedAt);
    else this.doubted = undefined;
    if (verdict === 'rebuilt') this.begin(head);
    else if (verdict === 'next' || verdict === 'gap') this.fill(head.offset);
    // Whoever did not take the last item that was handed out here would wait for the next one.
    for (const [reader, member] of this.members) if (member.live && this.isBehind(member)) this.catchUp(reader, member);
  }

  /**
   * The inbox ends before what was handed out here. An item may have overtaken the question; when nothing came since and the inbox, asked behind that, says so
   * again, it was set back (restored from a backup), and who waits for more of the old numbers would wait for ever.
   */
  private doubt(position: InboxCursor, head: InboxCursor, askedAt: number): void {
    const { doubted } = this;
    if (doubted?.epoch !== position.epoch || doubted.offset !== position.offset) this.doubted = { ...position, at: this.clock.monotonic() };
    else if (askedAt >= doubted.at) this.setBack(head);
  }

  private setBack(head: InboxCursor): void {
    this.log.warn({ tenant: this.tenant, from: this.position?.offset, to: head.offset }, 'an inbox was set back: its items are told anew from there');
    this.doubted = undefined;
    this.target = head.offset;
    this.begin(head);
    for (const [reader, member] of this.members) {
      member.last = Math.min(member.last, head.offset);
      member.acked = Math.min(member.acked, head.offset);
      member.missed += 1;
      // Where it stands now it is told at the end of catching up, like everything else.
      if (member.live) this.catchUp(reader, member);
    }
  }

  /** Brings a connection from `cursor` to the head, or hands it a snapshot when that cannot be done item by item. */
  async resume(connection: InboxReader, principal: Principal, cursor: InboxCursor | undefined, signal: AbortSignal): Promise<ResumeResult> {
    const member: Member = { last: cursor?.offset ?? 0, live: false, acked: cursor?.offset ?? 0, missed: 0 };
    this.members.set(connection, member);
    try {
      const kept = this.gate.isFull ? this.resumeFromMemory(connection, member, cursor) : undefined;
      if (kept !== undefined) return kept;
      let { missed } = member;
      let page = await this.fetch(principal, cursor?.offset ?? 0, cursor === undefined ? 1 : PAGE, signal);
      const head: InboxCursor = { epoch: page.epoch, offset: page.head };
      if (this.position === undefined || this.position.epoch !== head.epoch) this.begin(head, member);
      if (!canResume(cursor, head, page.minOffset)) return await this.snapshot(connection, member, principal, signal);

      let count = 0;
      for (;;) {
        this.refuseSuperseded(connection, member);
        for (const item of page.items) {
          if (item.offset !== member.last + 1) continue;
          this.sendItem(connection, page.epoch, item);
          member.last = item.offset;
          count += 1;
        }
        const reached = page.items.length === 0 || member.last >= Math.max(head.offset, this.position?.offset ?? 0);
        // What changed while the page was on its way is not in it for certain.
        if ((reached && missed === member.missed) || !connection.open) break;
        await drained(connection, this.clock, signal);
        missed = member.missed;
        page = await this.fetch(principal, member.last, PAGE, signal);
        if (page.epoch !== head.epoch) return await this.snapshot(connection, member, principal, signal);
      }
      this.tellMissed(connection, member, page);
      if (member.last === this.position?.offset && page.head === member.last) this.unread = page.unread;
      return { recovered: true, count, head: member.last, cursor: formatCursor({ epoch: head.epoch, offset: member.last }), unread: page.unread };
    } finally {
      // No wait between the last comparison and this line: nothing can come between catching up and being live.
      // A hint that overtook the page is ahead of it: what is missing then is fetched, because nothing may come behind it.
      if (connection.lagging === true || this.isBehind(member)) this.catchUp(connection, member);
      else member.live = true;
    }
  }

  /** Two that bring the same connection up to date would send it everything twice: the newer one says where it stands. */
  private refuseSuperseded(connection: InboxReader, member: Member): void {
    if (!connection.open || this.members.get(connection) === member) return;
    throw plexusError('CONFLICT', { message: 'a newer inbox.resume of this connection takes its place' });
  }

  /**
   * When everybody comes back at once, whoever was away for a moment does not wait for its turn to read a page: what it missed is here. A hint that was lost
   * is noticed within a tick, as by everybody who stayed.
   */
  private resumeFromMemory(connection: InboxReader, member: Member, cursor: InboxCursor | undefined): ResumeResult | undefined {
    const { position, unread } = this;
    if (cursor === undefined || position === undefined || unread === undefined || cursor.epoch !== position.epoch) return undefined;
    const items = this.recent.between(cursor.offset, position.offset, this.clock.monotonic());
    if (items === undefined) return undefined;
    for (const item of items) this.sendItem(connection, position.epoch, item);
    member.last = position.offset;
    // A hint may have been lost meanwhile: what is unread is asked for once the storm is over.
    this.since.repairs += 1;
    return { recovered: true, count: items.length, head: position.offset, cursor: formatCursor(position), unread };
  }

  private async snapshot(connection: InboxReader, member: Member, principal: Principal, signal: AbortSignal): Promise<ResumeResult> {
    const ask = () => this.gate.run(() => this.mesh.call(push.fetchInbox, this.tenant, { limit: SNAPSHOT }, { principal, signal }));
    let { missed } = member;
    let page = await ask();
    while (missed !== member.missed && connection.open) {
      missed = member.missed;
      page = await ask();
    }
    // The inbox ends before what was handed out here: only a look that began behind that says so for certain.
    const { position } = this;
    if (position !== undefined && page.epoch === position.epoch && page.head < position.offset) {
      await pause(member, this.clock);
      page = await ask();
      if (this.position === position && page.epoch === position.epoch && page.head < position.offset) this.setBack({ epoch: page.epoch, offset: page.head });
    }
    // The snapshot is newer than what was missed.
    member.missed = 0;
    const { epoch, head, unread, items } = page;
    member.last = Math.max(head, this.position?.epoch === epoch ? this.position.offset : 0);
    member.acked = member.last;
    return { recovered: false, count: 0, head, cursor: formatCursor({ epoch, offset: head }), unread, snapshot: { items } };
  }

  /** Tells a reader that was brought up to date that items which it has may have changed meanwhile, and what is unread now. */
  private tellMissed(reader: InboxReader, member: Member, { epoch, unread }: { readonly epoch: string; readonly unread: number }): void {
    if (member.missed === 0) return;
    member.missed = 0;
    reader.send(shareEvent('inbox.changed', { epoch, unread, changes: [], more: true }, false, { paced: true }));
  }

  private begin(position: InboxCursor, except?: Member): void {
    this.position = position;
    this.recent.clear();
    this.unread = undefined;
    // Whoever is being brought up to date has a place of his own, and comes here by himself.
    for (const member of this.members.values()) {
      if (member === except || !member.live) continue;
      member.last = position.offset;
      member.acked = position.offset;
    }
  }

  /** Fetches up to `offset`, once at a time however many hints ask for it. */
  private fill(offset: number): void {
    this.target = Math.max(this.target, offset);
    if (this.filling) return;
    this.filling = true;
    this.fillUp()
      .catch((error: unknown) => this.log.warn({ error, tenant: this.tenant }, 'an inbox gap stays open until the next comparison of heads'))
      .finally(() => {
        this.filling = false;
      });
  }

  private async fillUp(): Promise<void> {
    const principal = this.ownPrincipal();
    while (this.position !== undefined && this.position.offset < this.target) {
      const page = await this.fetch(principal, this.position.offset, PAGE);
      if (page.epoch !== this.position.epoch) {
        this.begin({ epoch: page.epoch, offset: page.head });
        this.target = page.head;
        return;
      }
      // What is not kept any more cannot be delivered; what comes behind it can.
      if ((page.minOffset ?? 0) > this.position.offset) this.begin({ epoch: page.epoch, offset: page.minOffset ?? 0 });
      for (const item of page.items) if (item.offset === this.position.offset + 1) this.deliver(item);
      this.since.repairs += 1;
      this.unread = undefined;
      // A hint may be ahead of what the inbox has committed; the next one or the next comparison asks again.
      if (page.items.length === 0) return;
    }
  }

  private fetch(principal: Principal, after: number, limit: number, signal?: AbortSignal) {
    return this.gate.run(() => this.mesh.call(push.fetchInbox, this.tenant, { after, limit }, { principal, ...(signal && { signal }) }));
  }

  /** In whose name the inbox is read where no request of the user asks for it. */
  private ownPrincipal(): Principal {
    return { tenant: this.tenant, user: this.user, role: 'user', scopes: ['operator.read'], credentialId: 'gateway-inbox' };
  }

  private deliver(item: InboxItem): void {
    const { epoch } = this.position as InboxCursor;
    this.position = { epoch, offset: item.offset };
    this.recent.add(item, this.clock.monotonic());
    if (this.unread !== undefined) this.unread += 1;
    const shared = itemEvent(epoch, item);
    this.since.items += 1;
    for (const [connection, member] of this.members) {
      if (!member.live || item.offset <= member.last) continue;
      if (item.offset > member.last + 1) this.catchUp(connection, member);
      else if (connection.send(shared) !== false) member.last = item.offset;
    }
  }

  private sendItem(connection: InboxReader, epoch: string, item: InboxItem): void {
    connection.send(itemEvent(epoch, item, { paced: true }));
  }

  private catchUp(reader: InboxReader, member: Member): void {
    member.live = false;
    this.serveFromInbox(reader, member).catch((error: unknown) => {
      this.log.error({ error, tenant: this.tenant }, 'a connection could not catch up');
      reader.close(CLOSE_CODES.internal, 'internal error');
    });
  }

  /** Pages from the inbox at the pace of the reader, until it has everything. Nobody else waits for it. */
  private async serveFromInbox(reader: InboxReader, member: Member): Promise<void> {
    let epoch = this.position?.epoch;
    let failures = 0;
    while (await hasRoom(reader, member, this.clock, () => this.serves(reader, member))) {
      const { missed } = member;
      const page = await this.fetch(this.ownPrincipal(), member.last, LAG_PAGE).catch((error: unknown) => {
        this.log.debug({ error, tenant: this.tenant }, 'a lagging connection waits for the inbox');
        return undefined;
      });
      if (!this.serves(reader, member)) return;
      if (page === undefined) {
        await this.clock.sleep(fullJitter(failures++, RETRY));
        continue;
      }
      failures = 0;
      if (epoch !== undefined && page.epoch !== epoch) {
        // What the new numbering counts already is not this reader's to miss: like everybody, it goes on with what is new.
        member.last = page.head;
        member.acked = page.head;
      }
      epoch = page.epoch;
      member.last = Math.max(member.last, page.minOffset ?? 0);
      for (const item of page.items) {
        if (item.offset !== member.last + 1) continue;
        this.sendItem(reader, page.epoch, item);
        member.last = item.offset;
      }
      const head = this.position?.epoch === epoch ? this.position.offset : 0;
      // What changed while the page was on its way is not in it for certain.
      if (page.items.length > 0 || missed !== member.missed) continue;
      if (member.last < head) {
        // A hint was ahead of what the inbox has committed.
        await pause(member, this.clock);
        continue;
      }
      // No wait since the comparison: what comes next comes live.
      this.tellMissed(reader, member, page);
      member.live = true;
      reader.caughtUp?.();
      return;
    }
  }

  private isBehind(member: Member): boolean {
    return member.last < (this.position?.offset ?? 0);
  }

  private serves(reader: InboxReader, member: Member): boolean {
    return reader.open && this.members.get(reader) === member;
  }
}

function itemEvent(epoch: string, item: InboxItem, more: Sharing = {}): SharedEvent {
  const cursor = formatCursor({ epoch, offset: item.offset });
  return shareEvent('inbox.item', { ...item, items: item.events, cursor }, false, more);
}
