import type { Database } from '@plexus/database';
import type { SubscriptionIndex } from '../../application/ports.js';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import type { FollowedScope } from '../../domain/subscription.js';
import { FewSubscriptions } from './few-subscriptions.js';
import { FIND_SUBSCRIPTIONS, scopeColumns } from './subscription-statements.js';

export { FOLLOWED_COLUMNS } from './subscription-statements.js';

export class PostgresSubscriptionIndex implements SubscriptionIndex {
  private readonly few = new Map<number, FewSubscriptions>();

  constructor(private readonly database: Database) {}

  async candidatesFor(event: IncomingEvent): Promise<FollowedScope[]> {
    return this.database.query<FollowedScope>('push_find_subscriptions', FIND_SUBSCRIPTIONS, scopeColumns(event));
  }

  fewFor(event: IncomingEvent, limit: number): Promise<FollowedScope[] | undefined> {
    const few = this.few.get(limit) ?? new FewSubscriptions(this.database, limit);
    this.few.set(limit, few);
    return few.find(event);
  }
}
