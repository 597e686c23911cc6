import type { DataOf, pushTriggersContracts as triggers, Severity } from '@plexus/contracts';
import type { LabelMatcher, LogEvent } from '../engine/types.js';
import { matchesTypePattern } from '../type-pattern.js';
import { shortened } from './notice.js';

export type DispatchMatch = DataOf<typeof triggers.saveDispatchRule>['match'];

const SEVERITIES: Readonly<Record<Severity, number>> = { low: 0, medium: 1, high: 2, critical: 3 };
const MAX_PROMPT = 100_000;
const MAX_EVENT = 16_000;

/** True when everything that the rule asks of an event holds. */
export function matchesRule(match: DispatchMatch, event: LogEvent): boolean {
  if (SEVERITIES[event.severity] < SEVERITIES[match.minSeverity]) return false;
  // Facts of the mesh must be asked for: research makes some itself, and a rule about everything would never end.
  if (match.types.length === 0 && event.origin.startsWith('plexus.')) return false;
  if (match.types.length > 0 && !match.types.some((pattern) => matchesTypePattern(pattern, event.type))) return false;
  return match.matchers.every((matcher) => holds(matcher, valuesOf(matcher.label, event)));
}

/** A label with several values (topics) is equal to each of them, and unequal only when none is. */
function holds({ op, value }: LabelMatcher, values: readonly string[]): boolean {
  switch (op) {
    case '=':
      return values.includes(value);
    case '!=':
      return !values.includes(value);
    case '~':
      return values.some((one) => matchesTypePattern(value, one));
  }
}

function valuesOf(label: string, event: LogEvent): readonly string[] {
  switch (label) {
    case 'type':
    case 'source':
    case 'origin':
    case 'severity':
    case 'subject':
      return [event[label]];
    case 'case':
      return [event.caseId ?? ''];
    case 'entity':
      return orEmpty(event.entities);
    case 'region':
      return orEmpty(event.regions);
    case 'topic':
      return orEmpty(event.topics);
    default:
      return [''];
  }
}

/** What is missing counts as empty. */
function orEmpty(values: readonly string[]): readonly string[] {
  return values.length === 0 ? [''] : values;
}

/** The message to the agent: `{{summary}}`, `{{type}}`, `{{caseId}}` and `{{event}}` stand for the event. Anything else in braces stays as it is. */
export function renderPrompt(template: string, event: LogEvent): string {
  const whole = () =>
    shortened(
      JSON.stringify({
        type: event.type,
        severity: event.severity,
        summary: event.summary,
        caseId: event.caseId,
        entities: event.entities,
        regions: event.regions,
        topics: event.topics,
        data: event.data,
      }),
      MAX_EVENT,
    );
  const values: Readonly<Record<string, () => string>> = {
    summary: () => event.summary ?? event.type,
    type: () => event.type,
    caseId: () => event.caseId ?? '',
    event: whole,
  };
  return shortened(
    template.replace(/\{\{(\w+)\}\}/g, (text, name: string) => (Object.hasOwn(values, name) ? (values[name] as () => string)() : text)),
    MAX_PROMPT,
  );
}
