import { z } from 'zod';
import { SubscriptionScope } from './push.contracts.js';

/** What people say about how they want to be reached: the same words in calls, in the log and in a policy's tests. */

/** P0 interrupts whatever happens, P1 as a rule, P2 within limits, P3 only fills the inbox. */
export const Priority = z.enum(['P0', 'P1', 'P2', 'P3']);
export type Priority = z.infer<typeof Priority>;

/** Which events a preference is about; absent = any. */
export const PreferenceMatch = z.object({
  types: z.array(z.string().max(256)).max(50).optional(),
  scopeKind: SubscriptionScope.optional(),
  scopeRef: z.string().max(256).optional(),
});

/** One sentence of what a user (or the tenant, for everybody) wants. */
export const Preference = z.object({
  id: z.string().min(1).max(64),
  match: PreferenceMatch,
  channel: z.string().max(64).default('*').describe('`*`: whether at all; else only this channel.'),
  value: z.enum(['on', 'off']),
});
export type Preference = z.infer<typeof Preference>;

/** Local time in which nobody is disturbed: `[start, end)`, equal = off. */
export const QuietHours = z.object({
  tz: z.string().max(64).describe('IANA time zone.'),
  start: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  end: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  days: z.array(z.number().int().min(0).max(6)).max(7).default([0, 1, 2, 3, 4, 5, 6]).describe('Days on which a window starts; 0 = Sunday.'),
  bypassPriority: Priority.default('P0').describe('This priority and higher are not held back.'),
});
export type QuietHours = z.infer<typeof QuietHours>;

/** Compares one label of an event: `type`, `source`, `origin`, `severity`, `case`, `subject`, `entity`, `region`, `topic`. Missing = empty. */
export const LabelMatcher = z
  .object({ label: z.string().min(1).max(64), op: z.enum(['=', '!=', '~']), value: z.string().max(256) })
  .describe('`~`: pattern with `*`.');
export type LabelMatcher = z.infer<typeof LabelMatcher>;
