import type { Clock } from '@plexus/kernel';
import { type AccessChange, foldAccess, foldRestriction, type KnownAccess, type Said, saidNow } from '../../domain/managing/access.js';
import { invalid, textIssues, userIssues } from './invalid.js';
import { type Decided, EVERYBODY, type LogChange } from './log-change.js';

export interface AccessScope {
  readonly scopeKind: 'case' | 'topic';
  readonly scopeRef: string;
}

/** What was last said about a user and a scope. */
export interface StoredAccess extends AccessScope, Said {
  readonly user: string;
}

export interface AccessPage {
  readonly user?: string;
  readonly scopeKind?: AccessScope['scopeKind'];
  readonly scopeRef?: string;
  readonly after?: { readonly scopeKind: string; readonly scopeRef: string; readonly user: string };
  readonly limit: number;
}

export interface AccessStore {
  /** In one transaction, alone for this scope: reads, decides, writes. `user` `_`: only the scope itself. `decide` must be pure. */
  change<T>(tenant: string, scope: AccessScope, user: string, decide: (known: KnownAccess) => Decided<T> & { readonly change?: AccessChange }): Promise<T>;
  /** By scope and user. */
  page(tenant: string, page: AccessPage): Promise<StoredAccess[]>;
  /** Which of these scopes only holders of grants may see. */
  restricted(tenant: string, scopes: readonly AccessScope[]): Promise<AccessScope[]>;
}

export interface AccessAnswer {
  readonly grant: StoredAccess;
  readonly restricted: boolean;
  readonly changed: boolean;
}

/** Who may see a case or topic, as administrators say it. What other systems say comes through {@link HandleAccessEvent}. */
export class ManageAccess {
  constructor(
    private readonly store: AccessStore,
    private readonly newId: () => string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** Grants or revokes, from now on. A repeat changes nothing. Fails with INVALID_REQUEST for a user or scope that cannot be. */
  async say(tenant: string, scope: AccessScope, user: string, word: { granted: boolean; until?: number }, by: string): Promise<AccessAnswer> {
    const now = this.clock.now();
    const issues = [...userIssues(tenant, user), ...textIssues({ scopeRef: scope.scopeRef })];
    if (word.until !== undefined && word.until <= now) issues.push({ path: 'until', message: 'must lie in the future' });
    if (issues.length > 0) throw invalid(...issues);
    const entryId = this.newId();
    return this.store.change<AccessAnswer>(tenant, scope, user, (known) => {
      const said = { ...word, by, ...saidNow(known.user, now) };
      const isRepeat = known.user !== undefined && known.user.granted === said.granted && known.user.until === said.until;
      // A repeat is not a new word: the row keeps who said it first.
      const change = isRepeat && known.scope !== undefined ? { tell: [] } : foldAccess(known, said);
      const grant = { ...scope, user, ...(change.user ?? (known.user as Said)) };
      const restricted = change.scope?.granted ?? known.scope?.granted ?? false;
      return { result: { grant, restricted, changed: change.tell.length > 0 }, log: entriesOf(scope, user, change, entryId), change };
    });
  }

  /** Restricts or opens a scope, whatever is granted. */
  async restrict(tenant: string, scope: AccessScope, restricted: boolean, by: string): Promise<{ restricted: boolean; changed: boolean }> {
    const issues = textIssues({ scopeRef: scope.scopeRef });
    if (issues.length > 0) throw invalid(...issues);
    const now = this.clock.now();
    const entryId = this.newId();
    return this.store.change<{ restricted: boolean; changed: boolean }>(tenant, scope, EVERYBODY, (known) => {
      const change = foldRestriction(known.scope, { granted: restricted, by, ...saidNow(known.scope, now) });
      return { result: { restricted, changed: change.tell.length > 0 }, log: entriesOf(scope, EVERYBODY, change, entryId), change };
    });
  }

  async list(tenant: string, page: AccessPage): Promise<{ grants: StoredAccess[]; restricted: AccessScope[] }> {
    const issues = textIssues({ user: page.user, scopeRef: page.scopeRef, cursor: page.after && `${page.after.scopeRef}${page.after.user}` });
    if (issues.length > 0) throw invalid(...issues);
    const grants = await this.store.page(tenant, page);
    return { grants, restricted: await this.store.restricted(tenant, grants.slice(0, page.limit)) };
  }
}

/** What the log is told of a change: the user's own part under the user, the scope's part once for everybody. */
export function entriesOf({ scopeKind, scopeRef }: AccessScope, user: string, { tell, user: said }: AccessChange, id: string): LogChange[] {
  return tell.map((change) => {
    const isOfUser = change === 'granted' || change === 'revoked';
    const until = change === 'granted' && said?.until !== undefined ? { until: said.until } : {};
    return { kind: 'grant', user: isOfUser ? user : EVERYBODY, id, data: { scopeKind, scopeRef, change, ...until } };
  });
}
