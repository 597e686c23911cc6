import { CAPABILITIES } from '@plexus/client-protocol';
import { pushContracts as push } from '@plexus/contracts';
import type { Clock, Timer } from '@plexus/kernel';
import { type Credential, ownerKey } from '../domain/caller.js';
import type { ClientConnection } from './client-connection.js';
import { InboxFeed } from './inbox-feed.js';
import type { InboxReader } from './inbox-pace.js';
import { PageGate } from './page-gate.js';
import type { GatewayIdentity, Hints, Log, Mesh } from './ports.js';
import type { RecentBudget } from './recent-items.js';

/** Hints of a user are listened to for so long after the last connection went: people reload pages. */
const LINGER_MS = 30_000;
const USERS_PER_CALL = 2_000;
/** After a restart everybody comes back at once; the inbox is asked for so many pages at a time. */
const PAGES_AT_ONCE = 50;
const READ = 'operator.read';

interface Entry {
  readonly feed: InboxFeed;
  readonly listening: { stop(): unknown };
  linger: Timer | undefined;
}

/** The inboxes of the users that are connected here. */
export class InboxFeeds {
  private readonly entries = new Map<string, Entry>();
  private readonly gate = new PageGate(PAGES_AT_ONCE);
  private sweeping: Promise<void> | undefined;

  constructor(
    private readonly mesh: Mesh,
    private readonly hints: Hints,
    private readonly identity: GatewayIdentity,
    private readonly clock: Clock,
    private readonly log: Log,
    /** What all inboxes keep in memory together. */
    private readonly budget: RecentBudget,
  ) {}

  /** Starts delivering new items to the connection, if its scopes allow it. */
  join(connection: ClientConnection): void {
    if (!connection.has(READ) || connection.role === 'node') return;
    // Whoever announces that it resumes gets nothing in front of its resume point.
    this.feedOf(connection.credential).join(connection, { live: !connection.caps.has(CAPABILITIES.inbox) });
  }

  /** The feed of somebody who may read it; it stays until the last reader has left. */
  feedOf(credential: Credential): InboxFeed {
    const owner = ownerKey(credential.tenant, credential.user);
    const entry = this.entries.get(owner) ?? this.open(owner, credential);
    entry.linger?.cancel();
    entry.linger = undefined;
    return entry.feed;
  }

  /** The connection is behind and takes nothing live: it is served from the inbox. */
  lag(connection: ClientConnection): void {
    this.of(connection)?.lag(connection);
  }

  leave(connection: ClientConnection): void {
    this.left(connection.credential, connection);
  }

  /** A reader of this user's inbox has gone. */
  left(credential: Credential, reader: InboxReader): void {
    const owner = ownerKey(credential.tenant, credential.user);
    const entry = this.entries.get(owner);
    if (entry === undefined) return;
    entry.feed.leave(reader);
    if (entry.feed.size > 0 || entry.linger !== undefined) return;
    entry.linger = this.clock.setTimeout(() => this.drop(owner), LINGER_MS).unref();
  }

  /** The feed of a connection that has joined. */
  of(connection: ClientConnection): InboxFeed | undefined {
    return this.entries.get(connection.owner)?.feed;
  }

  /** Compares every user's head with the inbox, one call per tenant: a lost last hint is noticed here. Runs once at a time. */
  sweep(): Promise<void> {
    this.sweeping ??= this.compareAll().finally(() => {
      this.sweeping = undefined;
    });
    return this.sweeping;
  }

  stop(): void {
    for (const owner of [...this.entries.keys()]) this.drop(owner);
  }

  private open(owner: string, { tenant, user }: Credential): Entry {
    const feed = new InboxFeed(tenant, user, this.mesh, this.clock, this.gate, this.log, this.budget);
    const selection = { tenant, key: [user] };
    const items = this.hints.listenLive(push.inboxItemHint, selection, (hint) => feed.hint({ epoch: hint.epoch, offset: hint.offset }, hint.item));
    const changes = this.hints.listenLive(push.inboxChangedHint, selection, (hint) => feed.changed(hint));
    const stop = () => {
      items.stop();
      changes.stop();
    };
    const entry: Entry = { feed, listening: { stop }, linger: undefined };
    this.entries.set(owner, entry);
    void this.compare(tenant, [user]);
    return entry;
  }

  private drop(owner: string): void {
    const entry = this.entries.get(owner);
    if (entry === undefined) return;
    this.entries.delete(owner);
    entry.linger?.cancel();
    entry.listening.stop();
    entry.feed.forget();
  }

  private async compareAll(): Promise<void> {
    const users = new Map<string, string[]>();
    for (const { feed } of this.entries.values()) {
      if (feed.size === 0) continue;
      const list = users.get(feed.tenant);
      if (list === undefined) users.set(feed.tenant, [feed.user]);
      else list.push(feed.user);
    }
    for (const [tenant, list] of users) {
      for (let at = 0; at < list.length; at += USERS_PER_CALL) await this.compare(tenant, list.slice(at, at + USERS_PER_CALL));
    }
    await Promise.all([...this.entries.values()].map(({ feed }) => (feed.size === 0 ? undefined : this.settle(feed))));
  }

  private settle(feed: InboxFeed): Promise<void> {
    return feed
      .settleUnread()
      .catch((error: unknown) => this.log.debug({ error, tenant: feed.tenant }, 'what is unread could not be read; the next tick asks again'));
  }

  private async compare(tenant: string, users: string[]): Promise<void> {
    try {
      const askedAt = this.clock.monotonic();
      const { heads } = await this.mesh.call(push.inboxHeads, tenant, { users }, { principal: this.identity.service(tenant) });
      for (const { user, epoch, head } of heads) this.entries.get(ownerKey(tenant, user))?.feed.headIs({ epoch, offset: head }, askedAt);
    } catch (error) {
      this.log.debug({ error, tenant, users: users.length }, 'inbox heads could not be read; the next tick asks again');
    }
  }
}
