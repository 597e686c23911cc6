import { z } from 'zod';

/** Severity of an event for push decisions; `medium` is what most events are. */
export const Severity = z.enum(['low', 'medium', 'high', 'critical']);
export type Severity = z.infer<typeof Severity>;

const attribute = z.string().min(1).max(512);

/** CloudEvents 1.0 in structured JSON mode with the extension attributes that Plexus reads. Unknown extensions are kept. */
export const CloudEvent = z.looseObject({
  specversion: z.literal('1.0'),
  id: attribute.describe('Unique together with `source`.'),
  source: attribute.describe('URI reference of the producer.'),
  type: attribute,
  subject: attribute.optional(),
  time: z.iso.datetime({ offset: true }).optional().describe('When it happened. Used for expiry and display only, never for ordering.'),
  datacontenttype: z.string().optional(),
  dataschema: z.string().optional(),
  tenantid: z.string().optional().describe('If present it must equal the tenant token of the subject.'),
  severity: Severity.optional(),
  dedupkey: attribute.optional(),
  groupkey: attribute.optional(),
  eventstate: z.enum(['firing', 'resolved']).optional(),
  expiresat: z.iso.datetime({ offset: true }).optional(),
  traceparent: z.string().max(128).optional(),
  data: z.unknown().optional(),
});
export type CloudEvent<T = unknown> = z.infer<typeof CloudEvent> & { data?: T };

/** What push reads from the `data` of a foreign event; everything else in it is passed on untouched. */
export const NotableData = z.looseObject({
  summary: z.string().max(2_000).optional(),
  caseId: z.string().max(256).optional(),
  entities: z.array(z.string().max(256)).max(100).optional(),
  regions: z.array(z.string().max(256)).max(100).optional(),
  topics: z.array(z.string().max(256)).max(100).optional(),
});
export type NotableData = z.infer<typeof NotableData>;
