import { errors } from '@plexus/contracts';
import { type Clock, isStorableText } from '@plexus/kernel';
import {
  bytesOf,
  draftIssues,
  sameTerms,
  type StoredSubscription,
  type SubscriptionDraft,
  type SubscriptionTerms,
  termsOf,
} from '../../domain/managing/subscription-terms.js';
import type { Owner } from '../ports.js';
import { invalid, type Issue, textIssues } from './invalid.js';
import type { LogChange } from './log-change.js';
import type { SubscriptionPage, SubscriptionStore, Usage } from './subscription-store.js';

/** A user's list stays small enough to be looked at. */
export const MAX_SUBSCRIPTIONS = 500;
export const MAX_LIST_BYTES = 512 * 1024;
/** A page leaves room for the envelope inside one NATS message of 1 MiB. */
const MAX_PAGE_BYTES = 640 * 1024;

/** What an update says: absent stays, null takes away. */
export type TermsPatch = { readonly [K in keyof SubscriptionTerms]?: SubscriptionTerms[K] | null | undefined };

/** Follow, change, unfollow, list: always for the owner whom the token names. */
export class ManageSubscriptions {
  constructor(
    private readonly store: SubscriptionStore,
    private readonly newId: () => string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /**
   * Follows a scope; the same scope and name again replace what was said about it, and a repeat changes nothing. Fails with
   * INVALID_REQUEST for what contradicts itself, with QUOTA_EXCEEDED when the user follows too many things already.
   */
  async subscribe(owner: Owner, draft: SubscriptionDraft): Promise<{ subscription: StoredSubscription; created: boolean }> {
    requireSensible(draft);
    const id = `sub_${this.newId()}`;
    const at = new Date(this.clock.now()).toISOString();
    return this.store.change<{ subscription: StoredSubscription; created: boolean }>(
      owner.tenant,
      [{ user: owner.user, ...keyOf(draft) }],
      ([found], usage) => {
        const next = planned(owner.user, found, draft, id, at);
        requireRoom(usage.get(owner.user), found, next);
        if (found === undefined) return { result: { subscription: next, created: true }, log: [], changes: { ...NOTHING, inserts: [next] } };
        if (next === found) return { result: { subscription: found, created: false }, log: [] };
        return { result: { subscription: next, created: false }, log: [changeOf(next)], changes: { ...NOTHING, updates: [next] } };
      },
    );
  }

  /** Fails with NOT_FOUND, or with CONFLICT when `baseVersion` is not the version that is there. */
  async update(owner: Owner, id: string, patch: TermsPatch, baseVersion?: number): Promise<{ subscription: StoredSubscription; changed: boolean }> {
    const at = new Date(this.clock.now()).toISOString();
    return this.store.change<{ subscription: StoredSubscription; changed: boolean }>(
      owner.tenant,
      [{ user: owner.user, id: storableId(id) }],
      ([found], usage) => {
        if (found === undefined) throw errors.create('NOT_FOUND');
        const draft = { ...keyOf(found), ...patched(found, patch) };
        requireSensible(draft);
        // Asked again with the same content it is done already, whatever the version.
        if (sameTerms(found, draft)) return { result: { subscription: found, changed: false }, log: [] };
        if (baseVersion !== undefined && baseVersion !== found.version) throw errors.create('CONFLICT', { details: { version: found.version } });
        const next = planned(owner.user, found, draft, id, at);
        requireRoom(usage.get(owner.user), found, next);
        return { result: { subscription: next, changed: true }, log: [changeOf(next)], changes: { ...NOTHING, updates: [next] } };
      },
    );
  }

  /** False when there is no such subscription of this user. */
  async unsubscribe(owner: Owner, id: string): Promise<boolean> {
    if (!isStorableText(id)) return false;
    return this.store.change<boolean>(owner.tenant, [{ user: owner.user, id }], ([found]) =>
      found === undefined ? { result: false, log: [] } : { result: true, log: [removalOf(found)], changes: { ...NOTHING, removals: [found] } },
    );
  }

  /** Fails with NOT_FOUND. */
  async get(owner: Owner, id: string): Promise<StoredSubscription> {
    const found = isStorableText(id) ? await this.store.get(owner, id) : undefined;
    if (found === undefined) throw errors.create('NOT_FOUND');
    return found;
  }

  /** Oldest first. It may end before `limit`; whoever reads on continues behind `nextCursor`. */
  async list(owner: Owner, page: SubscriptionPage): Promise<{ subscriptions: StoredSubscription[]; nextCursor?: string }> {
    const { scopeRef = '', after = '' } = page;
    const issues = textIssues({ scopeRef, cursor: after });
    if (issues.length > 0) throw invalid(...issues);
    const rows = await this.store.page(owner, { ...page, limit: page.limit + 1 });
    const subscriptions = fitting(rows.slice(0, page.limit));
    const last = subscriptions.at(-1);
    return subscriptions.length < rows.length && last !== undefined ? { subscriptions, nextCursor: last.id } : { subscriptions };
  }
}

export const NOTHING = { inserts: [], updates: [], removals: [] } as const;

/** What is wrong with a draft; nothing = it may be kept. */
export function issuesOf(draft: SubscriptionDraft): Issue[] {
  const { scopeRef, name, interestText, typePatterns } = draft;
  const patterns = Object.fromEntries(typePatterns.map((pattern, place) => [`typePatterns.${place}`, pattern]));
  return [...draftIssues(draft), ...textIssues({ scopeRef, name, interestText, ...patterns })];
}

/** The row as it will be: `found` itself when nothing changes. */
export function planned(user: string, found: StoredSubscription | undefined, draft: SubscriptionDraft, newId: string, at: string): StoredSubscription {
  if (found === undefined) return { ...keyOf(draft), ...termsOf(draft), id: newId, user, version: 1, createdAt: at, updatedAt: at };
  if (sameTerms(found, draft)) return found;
  const { id, createdAt, version } = found;
  return { ...keyOf(draft), ...termsOf(draft), id, user, version: version + 1, createdAt, updatedAt: at };
}

/** What is parked because of a subscription follows its changes; nothing can be parked because of a new one, so the log does not hear of it. */
export function changeOf({ id, user, version, level, mutedUntil, minSeverity }: StoredSubscription): LogChange {
  return {
    kind: 'subscription',
    user,
    id: `${id}:${version}`,
    data: { id, version, level, minSeverity, ...(mutedUntil === undefined ? {} : { mutedUntil }) },
  };
}

export function removalOf({ id, user, version, level, minSeverity }: StoredSubscription): LogChange {
  return { kind: 'subscription', user, id: `${id}:removed`, data: { id, version: version + 1, level, minSeverity, removed: true } };
}

export function keyOf({ scopeKind, scopeRef, name }: SubscriptionDraft): Pick<SubscriptionDraft, 'scopeKind' | 'scopeRef' | 'name'> {
  return { scopeKind, scopeRef, name };
}

/** Whether `next` fits beside what the user has. Making something smaller always fits. */
export function hasRoom(usage: Usage | undefined, found: StoredSubscription | undefined, next: StoredSubscription): boolean {
  const { count, bytes } = usage ?? { count: 0, bytes: 0 };
  const more = bytesOf(next) - (found === undefined ? 0 : bytesOf(found));
  return more <= 0 || (bytes + more <= MAX_LIST_BYTES && (found !== undefined || count < MAX_SUBSCRIPTIONS));
}

function requireRoom(usage: Usage | undefined, found: StoredSubscription | undefined, next: StoredSubscription): void {
  if (hasRoom(usage, found, next)) return;
  throw errors.create('QUOTA_EXCEEDED', { details: { maxSubscriptions: MAX_SUBSCRIPTIONS, maxBytes: MAX_LIST_BYTES } });
}

function requireSensible(draft: SubscriptionDraft): void {
  const issues = issuesOf(draft);
  if (issues.length > 0) throw invalid(...issues);
}

/** Leaving `muted` ends the mute; whoever mutes without an end mutes for ever. */
function patched(found: SubscriptionTerms, patch: TermsPatch): SubscriptionTerms {
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as TermsPatch;
  const mutedUntil = given.level === undefined ? found.mutedUntil : undefined;
  const merged = { ...found, mutedUntil, ...given };
  return termsOf(Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)) as unknown as SubscriptionTerms);
}

function storableId(id: string): string {
  if (!isStorableText(id)) throw errors.create('NOT_FOUND');
  return id;
}

function fitting(rows: readonly StoredSubscription[]): StoredSubscription[] {
  let bytes = 0;
  // The first one always goes: a page without any would never end.
  return rows.filter((row, place) => {
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    return place === 0 || bytes <= MAX_PAGE_BYTES;
  });
}
