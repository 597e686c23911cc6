import type { PolicyMatch } from '@plexus/contracts';
import { SPECIFICITY } from '../subscription.js';
import { matchesTypePattern } from '../type-pattern.js';
import type { LabelMatcher, LogEvent, LogHit } from './types.js';
import type { Facts, Labels } from './user-state.js';

const NOTHING: readonly string[] = [''];

/** Values of a label of an event. A label that is missing, or that nobody knows, has the one value '' (empty). */
export function labelValues(event: Labels, label: string): readonly string[] {
  switch (label) {
    case 'type':
      return [event.type];
    case 'source':
      return [event.source];
    case 'origin':
      return [event.origin];
    case 'severity':
      return [event.severity];
    case 'subject':
      return [event.subject];
    case 'case':
      return event.caseId === undefined ? NOTHING : [event.caseId];
    case 'groupkey':
      return event.groupKey === undefined ? NOTHING : [event.groupKey];
    case 'entity':
      return event.entities.length === 0 ? NOTHING : event.entities;
    case 'region':
      return event.regions.length === 0 ? NOTHING : event.regions;
    case 'topic':
      return event.topics.length === 0 ? NOTHING : event.topics;
    default:
      return NOTHING;
  }
}

/** True when two events have exactly the same values of a label, in whatever order. */
export function sameLabel(one: Labels, other: Labels, label: string): boolean {
  const [a, b] = [labelValues(one, label), labelValues(other, label)];
  return a.every((value) => b.includes(value)) && b.every((value) => a.includes(value));
}

/** True when the event has the label as the matcher says; of several values one is enough, for `!=` none may be it. */
export function fits(event: Labels, { label, op, value }: LabelMatcher): boolean {
  const values = labelValues(event, label);
  if (op === '!=') return !values.includes(value);
  return op === '=' ? values.includes(value) : values.some((text) => matchesTypePattern(value, text));
}

/** Turns a rule of a policy into a function; undefined = it is about every event. */
export function matcherOf(match: PolicyMatch): ((event: Facts) => boolean) | undefined {
  const { types, severities, sources, case: caseId, topic } = match;
  if (types === undefined && severities === undefined && sources === undefined && caseId === undefined && topic === undefined) return undefined;
  return (event) =>
    (types === undefined || types.some((pattern) => matchesTypePattern(pattern, event.type))) &&
    (severities === undefined || severities.includes(event.severity)) &&
    (sources === undefined || sources.some((pattern) => matchesTypePattern(pattern, event.origin))) &&
    (caseId === undefined || caseId === event.caseId) &&
    (topic === undefined || event.topics.includes(topic));
}

/** True when the event lies in a scope that a preference names; without `ref`: in any of that kind. */
export function inScope(event: Labels, kind: LogHit['scopeKind'], ref: string | undefined): boolean {
  if (kind === 'all') return true;
  if (kind === 'type') return ref === undefined || matchesTypePattern(ref, event.type);
  const values = labelValues(event, kind);
  return ref === undefined ? values !== NOTHING : ref !== '' && values.includes(ref);
}

/** Higher = narrower. */
export function specificity(kind: LogHit['scopeKind']): number {
  return SPECIFICITY[kind];
}

/** Under which name repeats of the same are collapsed; only events that carry a key are. Of one publisher: nobody collapses another's. */
export function collapseKey(event: Labels): string | undefined {
  return event.dedupKey === undefined ? undefined : `${event.origin} ${event.dedupKey}`;
}

/** What fires and is resolved: the event's own key, else what it is about. */
export function incidentKey(event: Labels): string {
  return collapseKey(event) ?? JSON.stringify([event.origin, event.type, event.subject]);
}

export function labelsOf(event: LogEvent): Labels {
  const { data: _data, summary: _summary, ...labels } = event;
  return labels;
}
