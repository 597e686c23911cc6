import type { Bus } from '@plexus/bus';
import { pushContracts } from '@plexus/contracts';
import type { InboxHints, InboxUpdate } from '../../application/ports.js';
import type { InboxItem, InboxPosition } from '../../domain/inbox-item.js';

const MAX_LISTED = 100;

/** Hints over core NATS: nobody waits for them, and one that cannot be sent costs one interval of a gateway's heads poll. */
export class LiveHints implements InboxHints {
  constructor(
    private readonly bus: Bus,
    private readonly onLost: (error: unknown) => void,
  ) {}

  itemAdded(tenant: string, user: string, { epoch, offset }: InboxPosition, item: InboxItem): void {
    try {
      this.bus.publishLive(pushContracts.inboxItemHint, tenant, [user], { epoch, offset, item });
    } catch (error) {
      this.onLost(error);
    }
  }

  itemsChanged(tenant: string, user: string, { epoch, unread, changes }: InboxUpdate): void {
    const listed = changes.slice(0, MAX_LISTED);
    try {
      this.bus.publishLive(pushContracts.inboxChangedHint, tenant, [user], { epoch, unread, changes: listed, more: listed.length < changes.length });
    } catch (error) {
      this.onLost(error);
    }
  }
}
