import type { pushLogContracts as log, pushTriggersContracts as triggers } from '@plexus/contracts';

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
