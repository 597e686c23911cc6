import type { Database } from '@plexus/database';
import type { SubscriptionIndex } from '../../application/ports.js';
import type { IncomingEvent } from '../../domain/incoming-event.js';
import type { FollowedScope } from '../../domain/subscription.js';
import { FewSubscriptions } from './few-subscriptions.js';
import { FIND_SUBSCRIPTIONS, scopeColumns } from './subscription-statements.js';

export { FOLLOWED_COLUMNS } from './subscription-statements.js';

export class PostgresSubscriptionIndex implements SubscriptionIndex {
  private readonly few = new Map<string, FewSubscriptions>();

  constructor(
    private readonly database: Pick<Database, 'query'>,
    /** For single events. */
    private readonly hot: Pick<Database, 'query'> = database,
    /** For single events that are urgent. */
    private readonly urgent: Pick<Database, 'query'> = hot,
  ) {}

  async candidatesFor(event: IncomingEvent): Promise<FollowedScope[]> {
    return this.database.query<FollowedScope>('push_find_subscriptions', FIND_SUBSCRIPTIONS, scopeColumns(event));
  }

  fewFor(event: IncomingEvent, limit: number): Promise<FollowedScope[] | undefined> {
    // What is urgent does not wait for a statement about others.
    const isUrgent = event.severity === 'critical';
    const key = `${limit}:${isUrgent}`;
    const few = this.few.get(key) ?? new FewSubscriptions(isUrgent ? this.urgent : this.hot, limit);
    this.few.set(key, few);
    return few.find(event);
  }
}
