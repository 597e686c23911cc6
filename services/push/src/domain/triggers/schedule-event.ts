import type { InputOf, pushTriggersContracts as triggers } from '@plexus/contracts';

type EventAction = Extract<triggers.ScheduleAction, { kind: 'event' }>;

/** What a schedule states when it is due: its own data, what it is about, and which firing it is. */
export function scheduleEvent(
  { summary, caseId, entities, regions, topics, data }: EventAction,
  scheduleId: string,
  dueAt: number,
): InputOf<typeof triggers.scheduleFired> {
  const about = { ...(caseId === undefined ? {} : { caseId }), ...(entities && { entities }), ...(regions && { regions }), ...(topics && { topics }) };
  return { ...data, ...about, summary, scheduleId, dueAt: new Date(dueAt).toISOString() };
}
