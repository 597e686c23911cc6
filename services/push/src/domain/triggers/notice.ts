import type { pushTriggersContracts as triggers } from '@plexus/contracts';
import type { LogEvent, LogHit } from '../engine/types.js';
import { eventKey } from '../incoming-event.js';

export type Notice = triggers.Notice;

/** Source token of what push states itself. */
export const OWN_ORIGIN = 'push';
export const NOTICE_SOURCE = '/plexus/push/notify';
export const NOTICE_TYPE = 'dev.plexus.push.notice.v1';
/** Summaries are titles; a whole answer of an agent goes into the text. */
const MAX_SUMMARY = 2_000;
const MAX_TEXT = 12_000;

/** True for what was said to one person; no publisher can say so, because no source is called as push is. */
export function isNotice({ origin, source }: Pick<LogEvent, 'origin' | 'source'>): boolean {
  return origin === OWN_ORIGIN && source === NOTICE_SOURCE;
}

/** Where no subscription led to a user: somebody was named. Decided like any hit; nobody can subscribe under this id. */
export const DIRECT_HIT: LogHit = {
  subscriptionId: 'direct',
  version: 1,
  scopeKind: 'all',
  scopeRef: '',
  minSeverity: 'low',
  level: 'all',
  method: 'rule',
  score: 1,
};

/** A notification as an event that decisions understand. `id` makes a repeat harmless. */
export function noticeEvent(tenant: string, user: string, notice: Notice, id: string, at: number): LogEvent {
  const identity = { tenant, origin: OWN_ORIGIN, source: NOTICE_SOURCE, id };
  const { caseId, entities = [], regions = [], topics = [], text, dedupKey, groupKey, expiresAt } = notice;
  return {
    key: eventKey(identity),
    origin: OWN_ORIGIN,
    source: NOTICE_SOURCE,
    id,
    type: NOTICE_TYPE,
    subject: user,
    severity: notice.severity,
    occurredAt: new Date(at).toISOString(),
    ...(expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) }),
    ...(dedupKey === undefined ? {} : { dedupKey }),
    ...(groupKey === undefined ? {} : { groupKey }),
    summary: shortened(notice.summary, MAX_SUMMARY),
    ...(caseId === undefined ? {} : { caseId }),
    entities: [...entities],
    regions: [...regions],
    topics: [...topics],
    ...(text === undefined ? {} : { data: { text: shortened(text, MAX_TEXT) } }),
  };
}

/** At most `length` UTF-16 units, never half of a pair; what is cut ends in an ellipsis. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, length - 1);
  const last = cut.charCodeAt(cut.length - 1);
  return `${last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut}…`;
}
