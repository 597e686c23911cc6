import { errors } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { Owner, StoredSubscription, SubscriptionDraft, SubscriptionStore } from './ports.js';

/** A user's list must fit one answer. */
const MAX_SUBSCRIPTIONS = 500;
const MAX_LIST_BYTES = 512 * 1024;

/** Follow, unfollow, list: always for the owner whom the token names. */
export class ManageSubscriptions {
  constructor(
    private readonly store: SubscriptionStore,
    private readonly newId: () => string,
  ) {}

  /**
   * Follows a scope; the same scope again replaces what was said about it. Fails with INVALID_REQUEST for a scope that names
   * nothing (or too much), with QUOTA_EXCEEDED when the user follows too many things already.
   */
  async subscribe(owner: Owner, draft: SubscriptionDraft): Promise<{ subscription: StoredSubscription; created: boolean }> {
    requireSensibleScope(draft);
    const followed = await this.store.list(owner);
    const replaced = followed.find(({ scopeKind, scopeRef }) => scopeKind === draft.scopeKind && scopeRef === draft.scopeRef);
    const others = followed.filter((subscription) => subscription !== replaced);
    if (others.length >= MAX_SUBSCRIPTIONS || listBytes([...others, draft]) > MAX_LIST_BYTES) {
      throw errors.create('QUOTA_EXCEEDED', { details: { maxSubscriptions: MAX_SUBSCRIPTIONS, maxBytes: MAX_LIST_BYTES } });
    }
    const subscription = await this.store.save(owner, `sub_${this.newId()}`, { ...draft, typePatterns: [...new Set(draft.typePatterns)] });
    return { subscription, created: subscription.version === 1 };
  }

  /** False when there is no such subscription of this user. */
  async unsubscribe(owner: Owner, id: string): Promise<boolean> {
    return isStorableText(id) && this.store.remove(owner, id);
  }

  /** Oldest first. */
  async list(owner: Owner): Promise<StoredSubscription[]> {
    return this.store.list(owner);
  }
}

function requireSensibleScope({ scopeKind, scopeRef, typePatterns }: SubscriptionDraft): void {
  if (scopeKind === 'all' && scopeRef !== '') throw invalid('scopeRef', 'scope all follows everything and takes no scopeRef');
  if (scopeKind !== 'all' && scopeRef === '') throw invalid('scopeRef', `scope ${scopeKind} needs a scopeRef`);
  requireStorable('scopeRef', scopeRef);
  for (const pattern of typePatterns) requireStorable('typePatterns', pattern);
}

/** What identifies something must not be altered on the way into the database, so what Postgres cannot hold is refused. */
function requireStorable(path: string, text: string): void {
  if (!isStorableText(text)) throw invalid(path, 'must be well-formed Unicode without U+0000');
}

function invalid(path: string, message: string): Error {
  return errors.create('INVALID_REQUEST', { details: { issues: [{ path, message }] } });
}

function listBytes(list: readonly SubscriptionDraft[]): number {
  return Buffer.byteLength(JSON.stringify(list));
}
