import type { StoredSubscription, SubscriptionDraft } from '../../domain/managing/subscription-terms.js';
import { bytesOf } from '../../domain/managing/subscription-terms.js';
import type { Clock } from '@plexus/kernel';
import { type Issue, userIssues } from './invalid.js';
import type { LogChange } from './log-change.js';
import { changeOf, hasRoom, issuesOf, keyOf, MAX_SUBSCRIPTIONS, planned, removalOf } from './manage-subscriptions.js';
import type { SubscriptionStore, Usage } from './subscription-store.js';

/** A row that was read: either a draft, or what is wrong with it. */
export interface ImportRow {
  readonly user: string;
  readonly remove: boolean;
  readonly draft: SubscriptionDraft;
  /** Found while it was read, such as a predicate that is none. */
  readonly issues: readonly Issue[];
}

export type RowReport =
  | { readonly outcome: 'created' | 'updated' | 'unchanged' | 'removed'; readonly id?: string }
  | { readonly outcome: 'refused'; readonly code: 'INVALID_REQUEST' | 'QUOTA_EXCEEDED'; readonly message: string };

export interface ImportReport {
  readonly applied: boolean;
  readonly rows: readonly RowReport[];
}

/** Takes a page of subscriptions of many users: all of it, or nothing when a row is refused. */
export class ImportSubscriptions {
  constructor(
    private readonly store: SubscriptionStore,
    private readonly newId: () => string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  async import(tenant: string, rows: readonly ImportRow[], check: boolean): Promise<ImportReport> {
    const issues = rowIssues(tenant, rows);
    const sound = rows.filter((_row, place) => issues[place] === undefined);
    const ids = sound.map(() => `sub_${this.newId()}`);
    const at = new Date(this.clock.now()).toISOString();
    const lookups = sound.map(({ user, draft }) => ({ user, ...keyOf(draft) }));
    return this.store.change<ImportReport>(tenant, lookups, (found, usage) => {
      const plan = new PagePlan(usage);
      let next = 0;
      for (const [place, row] of rows.entries()) {
        const refused = issues[place];
        if (refused !== undefined) plan.refuse('INVALID_REQUEST', refused);
        else {
          plan.take(row, found[next], ids[next] as string, at);
          next += 1;
        }
      }
      const applied = !check && !plan.reports.some(({ outcome }) => outcome === 'refused');
      const result = { applied, rows: plan.reports };
      return applied ? { result, log: plan.log, changes: plan.changes } : { result, log: [] };
    });
  }
}

/** What is wrong with each row, in one sentence. */
function rowIssues(tenant: string, rows: readonly ImportRow[]): (string | undefined)[] {
  const firsts = new Map<string, number>();
  return rows.map(({ user, draft, issues }, place) => {
    const all = [...issues, ...issuesOf(draft), ...userIssues(tenant, user)].map(({ path, message }) => `${path}: ${message}`);
    if (all.length > 0) return all.join('; ');
    const key = JSON.stringify([user, draft.scopeKind, draft.scopeRef, draft.name]);
    const first = firsts.get(key);
    if (first !== undefined) return `the same user, scope and name as row ${first} (counted from 0)`;
    firsts.set(key, place);
    return undefined;
  });
}

class PagePlan {
  readonly reports: RowReport[] = [];
  readonly log: LogChange[] = [];
  readonly changes = { inserts: [] as StoredSubscription[], updates: [] as StoredSubscription[], removals: [] as StoredSubscription[] };
  readonly #usage: Map<string, Usage>;

  constructor(usage: ReadonlyMap<string, Usage>) {
    this.#usage = new Map(usage);
  }

  refuse(code: 'INVALID_REQUEST' | 'QUOTA_EXCEEDED', message: string): void {
    this.reports.push({ outcome: 'refused', code, message });
  }

  take({ user, remove, draft }: ImportRow, found: StoredSubscription | undefined, newId: string, at: string): void {
    if (remove) this.#remove(found);
    else this.#put(user, found, planned(user, found, draft, newId, at));
  }

  #remove(found: StoredSubscription | undefined): void {
    if (found === undefined) this.reports.push({ outcome: 'unchanged' });
    else {
      this.reports.push({ outcome: 'removed', id: found.id });
      this.changes.removals.push(found);
      this.log.push(removalOf(found));
      this.#count(found.user, -1, -bytesOf(found));
    }
  }

  #put(user: string, found: StoredSubscription | undefined, next: StoredSubscription): void {
    if (next === found) this.reports.push({ outcome: 'unchanged', id: found.id });
    else if (!hasRoom(this.#usage.get(user), found, next))
      this.refuse('QUOTA_EXCEEDED', `the user would have more than ${MAX_SUBSCRIPTIONS} subscriptions, or too large ones`);
    else if (found === undefined) {
      this.reports.push({ outcome: 'created', id: next.id });
      this.changes.inserts.push(next);
      this.#count(user, 1, bytesOf(next));
    } else {
      this.reports.push({ outcome: 'updated', id: next.id });
      this.changes.updates.push(next);
      this.log.push(changeOf(next));
      this.#count(user, 0, bytesOf(next) - bytesOf(found));
    }
  }

  #count(user: string, rows: number, bytes: number): void {
    const { count, bytes: before } = this.#usage.get(user) ?? { count: 0, bytes: 0 };
    this.#usage.set(user, { count: count + rows, bytes: before + bytes });
  }
}
