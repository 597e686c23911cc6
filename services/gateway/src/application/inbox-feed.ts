import { CLOSE_CODES } from '@plexus/client-protocol';
import { type DataOf, type Principal, pushContracts as push } from '@plexus/contracts';
import { type Clock, fullJitter } from '@plexus/kernel';
import { canResume, formatCursor, type InboxCursor, judgeHint } from '../domain/inbox-cursor.js';
import { type SharedEvent, shareEvent } from './client-connection.js';
import type { PageGate } from './page-gate.js';
import type { Log, Mesh } from './ports.js';

type InboxItem = push.InboxItem;

/** Whoever reads an inbox as it grows: the socket of a client, or an event stream. */
export interface InboxReader {
  readonly open: boolean;
  /** Bytes that it has not taken yet. */
  readonly bufferedBytes: number;
  /** Acknowledges what it got; while it catches up, its acks set the pace. */
  readonly keepsInbox?: boolean;
  /** Takes no live items until it has caught up. */
  readonly lagging?: boolean;
  /** Not false: the event is on its way. */
  send(event: SharedEvent): boolean | undefined;
  /** It has everything up to the head, and gets live items from now on. */
  caughtUp?(): void;
  close(code: number, reason: string): void;
}

/** What `inbox.resume` answers. Every item in (cursor, head] was sent as `inbox.item` before, iff `recovered`. */
export interface ResumeResult {
  readonly recovered: boolean;
  readonly count: number;
  readonly head: number;
  readonly cursor: string;
  readonly unread: number;
  readonly snapshot?: { readonly items: readonly InboxItem[] };
}

interface Member {
  /** Offset of the last item that was sent on this connection. */
  last: number;
  /** False while it is being brought up to the feed; live items would come too early. */
  live: boolean;
  /** It said that it has everything up to this offset. */
  acked: number;
  /** Called when it has acknowledged more. */
  wake?: () => void;
}

const PAGE = 200;
const SNAPSHOT = 50;
const MAX_EARLY_HINTS = 64;
/** Pages are fetched no faster than the socket takes them. */
const DRAINED_BYTES = 262_144;
const DRAIN_POLL_MS = 20;
/** A reader that takes or acknowledges nothing for so long is closed. */
const STALLED_MS = 60_000;
/** Items that a lagging reader may have without having acknowledged them. */
const LAG_WINDOW = 200;
const LAG_PAGE = 64;
const LAG_POLL_MS = 100;
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

  constructor(
    readonly tenant: string,
    readonly user: string,
    private readonly mesh: Mesh,
    private readonly clock: Clock,
    private readonly gate: PageGate,
    private readonly log: Log,
  ) {}

  get size(): number {
    return this.members.size;
  }

  /** Newest offset that was handed out here; undefined while the inbox could not be asked yet. */
  get head(): number | undefined {
    return this.position?.offset;
  }

  /** From now on the connection gets what is new. */
  join(connection: InboxReader): void {
    const last = this.position?.offset ?? 0;
    this.members.set(connection, { last, live: true, acked: last });
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

  /** Items that were there before have changed. Whoever is being brought up to date reads them as they are. */
  changed(change: DataOf<typeof push.inboxChangedHint>): void {
    const shared = shareEvent('inbox.changed', change, true);
    for (const [reader, { live }] of this.members) if (live) reader.send(shared);
  }

  /** The head as the owner of the inbox states it: finds a lost hint, and sets the starting point the first time. */
  headIs(head: InboxCursor): void {
    if (this.position === undefined) {
      // Hints that came first are new to everybody here, although the head already counts them.
      const first = this.early.find(({ cursor }) => cursor.epoch === head.epoch)?.cursor.offset ?? head.offset + 1;
      this.begin({ epoch: head.epoch, offset: Math.min(head.offset, first - 1) });
      for (const { cursor, item } of this.early.splice(0)) this.hint(cursor, item);
    }
    const verdict = judgeHint(this.position as InboxCursor, head);
    if (verdict === 'rebuilt') this.begin(head);
    else if (verdict === 'next' || verdict === 'gap') this.fill(head.offset);
  }

  /** Brings a connection from `cursor` to the head, or hands it a snapshot when that cannot be done item by item. */
  async resume(connection: InboxReader, principal: Principal, cursor: InboxCursor | undefined, signal: AbortSignal): Promise<ResumeResult> {
    const member: Member = { last: cursor?.offset ?? 0, live: false, acked: cursor?.offset ?? 0 };
    this.members.set(connection, member);
    try {
      let page = await this.fetch(principal, cursor?.offset ?? 0, cursor === undefined ? 1 : PAGE, signal);
      const head: InboxCursor = { epoch: page.epoch, offset: page.head };
      if (this.position === undefined || this.position.epoch !== head.epoch) this.begin(head, member);
      if (!canResume(cursor, head, page.minOffset)) return await this.snapshot(member, principal, signal);

      let count = 0;
      for (;;) {
        for (const item of page.items) {
          if (item.offset !== member.last + 1) continue;
          this.sendItem(connection, page.epoch, item);
          member.last = item.offset;
          count += 1;
        }
        const reached = member.last >= Math.max(head.offset, this.position?.offset ?? 0);
        if (reached || page.items.length === 0 || !connection.open) break;
        await this.drained(connection, signal);
        page = await this.fetch(principal, member.last, PAGE, signal);
        if (page.epoch !== head.epoch) return await this.snapshot(member, principal, signal);
      }
      return { recovered: true, count, head: member.last, cursor: formatCursor({ epoch: head.epoch, offset: member.last }), unread: page.unread };
    } finally {
      // No wait between the last comparison and this line: nothing can come between catching up and being live.
      if (connection.lagging === true) this.catchUp(connection, member);
      else member.live = true;
    }
  }

  private async snapshot(member: Member, principal: Principal, signal: AbortSignal): Promise<ResumeResult> {
    const { epoch, head, unread, items } = await this.mesh.call(push.fetchInbox, this.tenant, { limit: SNAPSHOT }, { principal, signal });
    member.last = Math.max(head, this.position?.epoch === epoch ? this.position.offset : 0);
    member.acked = member.last;
    return { recovered: false, count: 0, head, cursor: formatCursor({ epoch, offset: head }), unread, snapshot: { items } };
  }

  private begin(position: InboxCursor, except?: Member): void {
    this.position = position;
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
    const shared = itemEvent(epoch, item);
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
    while (await this.hasRoom(reader, member)) {
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
      if (page.epoch !== epoch) {
        // What the new numbering counts already is not this reader's to miss: like everybody, it goes on with what is new.
        epoch = page.epoch;
        member.last = page.head;
        member.acked = page.head;
      }
      member.last = Math.max(member.last, page.minOffset ?? 0);
      for (const item of page.items) {
        if (item.offset !== member.last + 1) continue;
        this.sendItem(reader, page.epoch, item);
        member.last = item.offset;
      }
      const head = this.position?.epoch === epoch ? this.position.offset : 0;
      if (page.items.length > 0) continue;
      if (member.last < head) {
        // A hint was ahead of what the inbox has committed.
        await this.pause(member);
        continue;
      }
      // No wait since the comparison: what comes next comes live.
      member.live = true;
      reader.caughtUp?.();
      return;
    }
  }

  private serves(reader: InboxReader, member: Member): boolean {
    return reader.open && this.members.get(reader) === member;
  }

  /** Waits until the reader has taken, and where it acknowledges also acknowledged, enough of what it was sent. False: it is gone, or made no progress and was closed. */
  private async hasRoom(reader: InboxReader, member: Member): Promise<boolean> {
    let { acked } = member;
    let since = this.clock.monotonic();
    while (this.serves(reader, member)) {
      const unacknowledged = reader.keepsInbox === true ? member.last - member.acked : 0;
      if (reader.bufferedBytes <= DRAINED_BYTES && unacknowledged < LAG_WINDOW) return true;
      if (member.acked !== acked) {
        acked = member.acked;
        since = this.clock.monotonic();
      } else if (this.clock.monotonic() - since >= STALLED_MS) {
        reader.close(CLOSE_CODES.policy, 'slow consumer');
        return false;
      }
      await this.pause(member);
    }
    return false;
  }

  /** Until the reader acknowledges something, at most for a moment. */
  private pause(member: Member): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.setTimeout(resolve, LAG_POLL_MS);
      member.wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  private async drained(connection: InboxReader, signal: AbortSignal): Promise<void> {
    const deadline = this.clock.monotonic() + STALLED_MS;
    while (connection.open && connection.bufferedBytes > DRAINED_BYTES) {
      signal.throwIfAborted();
      if (this.clock.monotonic() > deadline) connection.close(CLOSE_CODES.policy, 'slow consumer');
      await this.clock.sleep(DRAIN_POLL_MS);
    }
  }
}

function itemEvent(epoch: string, item: InboxItem, more: Pick<SharedEvent, 'paced'> = {}): SharedEvent {
  const cursor = formatCursor({ epoch, offset: item.offset });
  return shareEvent('inbox.item', { ...item, items: item.events, cursor }, false, more);
}
