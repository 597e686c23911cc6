import type { LabelMatcher } from '../engine/types.js';

/** A silence as it is kept. Instants in milliseconds. */
export interface StoredSilence {
  readonly id: string;
  /** `_`: of the tenant, for everybody. */
  readonly user: string;
  readonly matchers: readonly LabelMatcher[];
  readonly from: number;
  readonly to: number;
  readonly includeCritical: boolean;
  readonly reason: string;
  readonly createdBy: string;
  readonly createdAt: number;
  /** Who ended it before its time, and when. */
  readonly endedBy?: string;
  readonly endedAt?: number;
  /** Counts what people changed. */
  readonly version?: number;
}

/** What matchers can look at. */
export const SILENCE_LABELS = ['type', 'source', 'origin', 'severity', 'case', 'subject', 'entity', 'region', 'topic', 'groupkey'] as const;

const DAY_MS = 86_400_000;
const LONGEST_MS = 90 * DAY_MS;
const FARTHEST_MS = 366 * DAY_MS;

export interface SilenceIssue {
  readonly path: string;
  readonly message: string;
}

/** Where a silence stands at `now`: `[from, to)`. */
export function silenceState({ from, to, endedAt }: Pick<StoredSilence, 'from' | 'to' | 'endedAt'>, now: number): 'pending' | 'active' | 'expired' {
  if (endedAt !== undefined || now >= to) return 'expired';
  return now < from ? 'pending' : 'active';
}

/** What is wrong with a silence that is to begin. */
export function silenceIssues({ matchers, from, to }: Pick<StoredSilence, 'matchers' | 'from' | 'to'>, now: number): SilenceIssue[] {
  const issues: SilenceIssue[] = [];
  const labels: readonly string[] = SILENCE_LABELS;
  for (const [place, { label }] of matchers.entries()) {
    if (!labels.includes(label)) issues.push({ path: `matchers.${place}.label`, message: `must be one of ${labels.join(', ')}` });
  }
  if (to <= from) issues.push({ path: 'to', message: 'must be later than from' });
  if (to <= now) issues.push({ path: 'to', message: 'must lie in the future' });
  if (to - from > LONGEST_MS) issues.push({ path: 'to', message: 'may be at most 90 days after from' });
  if (from - now > FARTHEST_MS) issues.push({ path: 'from', message: 'may be at most a year ahead' });
  return issues;
}

/** True when both say the same, beside when: a repeat of a call says `now` again. */
export function sameSilence(a: StoredSilence, b: StoredSilence): boolean {
  const said = ({ user, matchers, includeCritical, reason }: StoredSilence) =>
    JSON.stringify([user, matchers.map(({ label, op, value }) => [label, op, value]), includeCritical, reason]);
  return said(a) === said(b);
}
