import { createHash } from 'node:crypto';
import { errors } from '@plexus/contracts';
import { type Clock, isStorableText } from '@plexus/kernel';
import type { LabelMatcher } from '../../domain/engine/types.js';
import { sameSilence, silenceIssues, type StoredSilence } from '../../domain/managing/silence.js';
import { invalid, textIssues } from './invalid.js';
import { type Decided, EVERYBODY, type LogChange } from './log-change.js';

export interface SilencePage {
  /** False: only those that are not over yet, at `now`. */
  readonly expired: boolean;
  readonly now: number;
  readonly after?: { readonly to: number; readonly id: string };
  readonly limit: number;
}

export interface SilenceStore {
  get(tenant: string, id: string): Promise<StoredSilence | undefined>;
  /** The last to end first. */
  page(tenant: string, user: string, page: SilencePage): Promise<StoredSilence[]>;
  /** In one transaction, alone for this user (or `_`): looks up, decides, writes or removes. `open` counts those that are not over. `decide` must be pure. */
  change<T>(
    tenant: string,
    user: string,
    id: string,
    now: number,
    decide: (found: StoredSilence | undefined, open: number) => Decided<T> & { readonly next?: StoredSilence | 'remove' },
  ): Promise<T>;
}

export interface SilenceDraft {
  readonly matchers: readonly LabelMatcher[];
  /** Milliseconds; absent = now. */
  readonly from?: number;
  readonly to?: number;
  /** Instead of `to`. */
  readonly seconds?: number;
  readonly includeCritical: boolean;
  readonly reason: string;
  readonly idempotencyKey?: string;
}

/** What is changed about a silence; absent = as it was. */
export interface SilencePatch {
  readonly matchers?: readonly LabelMatcher[] | undefined;
  readonly to?: number | undefined;
  /** Instead of `to`: from now on. */
  readonly seconds?: number | undefined;
  readonly includeCritical?: boolean | undefined;
  readonly reason?: string | undefined;
}

/** Whose silence is meant, and who says so. */
export interface Silencer {
  readonly tenant: string;
  /** `_`: everybody's. */
  readonly user: string;
  readonly name: string;
}

const MAX_OPEN = { own: 100, tenant: 500 } as const;

/** Keeps events from interrupting for a while, and keeps who wanted it and why. */
export class ManageSilences {
  constructor(
    private readonly store: SilenceStore,
    private readonly newId: () => string,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** With an idempotency key a repeat answers with the silence that was made, and another content under the key fails with CONFLICT. */
  async create({ tenant, user, name }: Silencer, draft: SilenceDraft): Promise<{ silence: StoredSilence; created: boolean }> {
    const now = this.clock.now();
    const silence = this.#drafted(user, name, draft, now);
    const issues = [...silenceIssues(silence, now), ...textIssues({ reason: draft.reason, matchers: draft.matchers.map(({ value }) => value).join('') })];
    const max = user === EVERYBODY ? MAX_OPEN.tenant : MAX_OPEN.own;
    const entry = this.#entry(silence);
    const made = { ...silence, version: 1 };
    return this.store.change<{ silence: StoredSilence; created: boolean }>(tenant, user, silence.id, now, (found, open) => {
      if (found !== undefined) {
        if (sameSilence(found, silence)) return { result: { silence: found, created: false }, log: [] };
        throw errors.create('CONFLICT', { message: 'The idempotency key was used for another silence.' });
      }
      if (issues.length > 0) throw invalid(...issues);
      if (open >= max) throw errors.create('QUOTA_EXCEEDED', { details: { maxSilences: max } });
      return { result: { silence: made, created: true }, log: [entry], next: silence };
    });
  }

  async list(tenant: string, user: string, page: Omit<SilencePage, 'now'>): Promise<StoredSilence[]> {
    return this.store.page(tenant, user, { ...page, now: this.clock.now() });
  }

  /** Undefined when there is no such silence. */
  async find(tenant: string, id: string): Promise<StoredSilence | undefined> {
    return isStorableText(id) ? this.store.get(tenant, id) : undefined;
  }

  /**
   * Changes one that is not over yet. Fails with NOT_FOUND, with CONFLICT when it is over or changed since `baseVersion`, and with INVALID_REQUEST.
   * A repeat changes nothing. What it held back stays as it was decided; decisions from here on go by what it says now.
   */
  async update({ tenant, user }: Silencer, id: string, patch: SilencePatch, baseVersion?: number): Promise<{ silence: StoredSilence; changed: boolean }> {
    const { matchers, to, seconds, includeCritical, reason } = patch;
    if (to !== undefined && seconds !== undefined) throw invalid({ path: 'to', message: 'either to or seconds, not both' });
    const words = textIssues({ reason, ...(matchers && { matchers: matchers.map(({ value }) => value).join('') }) });
    if (words.length > 0) throw invalid(...words);
    const now = this.clock.now();
    const entryId = this.newId();
    return this.store.change<{ silence: StoredSilence; changed: boolean }>(tenant, user, id, now, (found) => {
      if (found === undefined) throw errors.create('NOT_FOUND');
      if (found.endedAt !== undefined || found.to <= now) throw errors.create('CONFLICT', { message: 'This silence is over; make another one.' });
      const wanted: StoredSilence = {
        ...found,
        matchers: matchers ?? found.matchers,
        to: to ?? (seconds === undefined ? found.to : Math.max(now, found.from) + seconds * 1_000),
        includeCritical: includeCritical ?? found.includeCritical,
        reason: reason ?? found.reason,
      };
      if (wanted.to === found.to && sameSilence(wanted, found)) return { result: { silence: found, changed: false }, log: [] };
      if (baseVersion !== undefined && baseVersion !== found.version) throw errors.create('CONFLICT', { details: { version: found.version } });
      const issues = silenceIssues(wanted, now);
      if (issues.length > 0) throw invalid(...issues);
      const next = { ...wanted, version: (found.version ?? 1) + 1 };
      return { result: { silence: next, changed: true }, log: [entryOf(next, entryId)], next };
    });
  }

  /** Ends it now; one that is over stays as it is. Fails with NOT_FOUND. */
  async expire({ tenant, user, name }: Silencer, id: string): Promise<{ silence: StoredSilence; changed: boolean }> {
    const now = this.clock.now();
    const entryId = this.newId();
    return this.store.change<{ silence: StoredSilence; changed: boolean }>(tenant, user, id, now, (found) => {
      if (found === undefined) throw errors.create('NOT_FOUND');
      if (found.endedAt !== undefined || found.to <= now) return { result: { silence: found, changed: false }, log: [] };
      const ended = { ...found, to: Math.max(now, found.from), endedBy: name, endedAt: now, version: (found.version ?? 1) + 1 };
      return { result: { silence: ended, changed: true }, log: [entryOf(ended, entryId)], next: ended };
    });
  }

  async remove({ tenant, user }: Silencer, id: string): Promise<boolean> {
    const entryId = this.newId();
    return this.store.change<boolean>(tenant, user, id, this.clock.now(), (found) =>
      found === undefined ? { result: false, log: [] } : { result: true, log: [entryOf(found, entryId, true)], next: 'remove' },
    );
  }

  #drafted(user: string, name: string, draft: SilenceDraft, now: number): StoredSilence {
    const { matchers, from = now, to, seconds, includeCritical, reason, idempotencyKey } = draft;
    if ((to === undefined) === (seconds === undefined)) throw invalid({ path: 'to', message: 'either to or seconds is needed' });
    const key =
      idempotencyKey === undefined
        ? this.newId()
        : createHash('sha256')
            .update(JSON.stringify([user, idempotencyKey]))
            .digest('hex')
            .slice(0, 40);
    const end = to ?? from + (seconds as number) * 1_000;
    return { id: `sil_${key}`, user, matchers, from, to: end, includeCritical, reason, createdBy: name, createdAt: now };
  }

  #entry(silence: StoredSilence): LogChange {
    return entryOf(silence, this.newId());
  }
}

function entryOf({ id, user, matchers, from, to, includeCritical }: StoredSilence, entryId: string, removed = false): LogChange {
  return { kind: 'silence', user, id: entryId, data: { id, matchers: matchers.map((one) => ({ ...one })), from, to, includeCritical, removed } };
}
