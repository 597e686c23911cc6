import type { pushLogContracts as log, pushTriggersContracts as triggers } from '@plexus/contracts';

export type PreferenceMatch = log.Preference['match'];

/** `case = case-7`: one thing that must hold. */
export const matcherText = ({ label, op, value }: log.LabelMatcher): string => `${label} ${op} ${value}`;

type Timing = Pick<triggers.Schedule, 'cron' | 'everyMs' | 'at' | 'timeZone'>;
export const TIMINGS = ['cron', 'every', 'at'] as const;
export type TimingKind = (typeof TIMINGS)[number];

const UNITS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
export type EveryUnit = keyof typeof UNITS;
export const EVERY_UNITS = Object.keys(UNITS) as readonly EveryUnit[];

/** An interval in the largest unit that needs no fraction. */
export function everyOf(ms: number): { readonly count: number; readonly unit: EveryUnit } {
  const unit = [...EVERY_UNITS].reverse().find((one) => ms % UNITS[one] === 0) ?? 'second';
  return { count: ms / UNITS[unit], unit };
}

export const everyMs = (count: number, unit: EveryUnit): number => Math.round(count * UNITS[unit]);

/** Which of the three ways a schedule is timed by. */
export const timingKindOf = ({ cron, everyMs: every }: Timing): TimingKind => (cron !== undefined ? 'cron' : every !== undefined ? 'every' : 'at');

/** What a schedule says or asks when it is due. */
export const actionText = (action: triggers.ScheduleAction): string => (action.kind === 'agent' ? action.message : action.summary);

/** The action that a form says: what it does not ask for stays as it was, unless it is now of another kind. */
export function actionWith(before: triggers.ScheduleAction | undefined, kind: triggers.ScheduleAction['kind'], text: string): Record<string, unknown> {
  const rest = before?.kind === kind ? before : { kind };
  return { ...rest, ...(kind === 'agent' ? { message: text } : { summary: text }) };
}

export const schedulePath = (id: string): string => `/v1/schedules/${encodeURIComponent(id)}`;

/** A moment as `<input type="datetime-local">` takes it: by the clock of the browser. */
export function localMinute(at: string): string {
  const moment = new Date(at);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The patterns that somebody typed, however they separated them. */
export const patternsIn = (text: string): string[] => text.split(/[\s,]+/).filter((pattern) => pattern !== '');

export type RuleDraft = Pick<triggers.DispatchRule, 'name' | 'maxPerHour'> & {
  readonly types: string;
  readonly minSeverity: triggers.DispatchRule['match']['minSeverity'];
  readonly message: string;
  /** `these`: whom the rule names already. */
  readonly to: 'owner' | 'followers' | 'these';
};

/** What a rule is made of for a form. */
export const ruleDraft = (rule: triggers.DispatchRule | undefined): RuleDraft => ({
  name: rule?.name ?? '',
  types: rule?.match.types.join(', ') ?? '',
  minSeverity: rule?.match.minSeverity ?? 'low',
  message: rule?.research.message ?? '',
  to: rule === undefined ? 'owner' : typeof rule.notify.to === 'string' ? rule.notify.to : 'these',
  maxPerHour: rule?.maxPerHour ?? 60,
});

export const rulePath = (id: string): string => `/v1/dispatch-rules/${encodeURIComponent(id)}`;

/** What the gateway is told of a rule, or of a change of one: all that the form does not ask for stays as it is. */
export function ruleWith(before: triggers.DispatchRule | undefined, draft: RuleDraft): Record<string, unknown> {
  const { match, research, notify } = before ?? {};
  return {
    name: draft.name.trim(),
    match: { ...match, types: patternsIn(draft.types), minSeverity: draft.minSeverity },
    research: { ...research, message: draft.message.trim() },
    notify: { ...notify, ...(draft.to !== 'these' && { to: draft.to }) },
    maxPerHour: draft.maxPerHour,
  };
}

/** What a preference can be about in the form. */
export const WISH_ABOUT = ['all', 'types', 'case', 'topic', 'entity', 'region'] as const;
export type WishAbout = (typeof WISH_ABOUT)[number];
export const WISH_CHANNELS = ['*', 'session', 'email', 'webhook', 'webpush'] as const;

/** The events that somebody means by what they chose and typed. */
export function matchOf(about: WishAbout, which: string): PreferenceMatch {
  if (about === 'all') return {};
  return about === 'types' ? { types: patternsIn(which) } : { scopeKind: about, scopeRef: which.trim() };
}

/** `Chrome, Linux`: enough to tell one's own browsers apart. */
export function browserName(userAgent: string): string {
  const among = (names: readonly (readonly [string, RegExp])[]) => names.find(([, pattern]) => pattern.test(userAgent))?.[0];
  const browser = among([
    ['Edge', /Edg\//],
    ['Opera', /OPR\//],
    ['Firefox', /Firefox\//],
    ['Chrome', /Chrom(e|ium)\//],
    ['Safari', /Safari\//],
  ]);
  const system = among([
    ['Android', /Android/],
    ['iOS', /iPhone|iPad/],
    ['Windows', /Windows/],
    ['macOS', /Mac OS X/],
    ['Linux', /Linux/],
  ]);
  return [browser, system].filter((part) => part !== undefined).join(', ');
}
