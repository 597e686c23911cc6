import type { LogEvent } from '../engine/types.js';
import { matchesRule, renderPrompt } from './dispatch-match.js';
import { noticeEvent, shortened } from './notice.js';

const event: LogEvent = {
  key: 'k',
  origin: 'aegi',
  source: '/aegi',
  id: 'e1',
  type: 'aegi.collection_done',
  subject: 'c1',
  severity: 'medium',
  occurredAt: '2026-11-21T10:00:00.000Z',
  summary: 'Collection about Aurora is complete',
  caseId: 'case-7',
  entities: [],
  regions: ['baltic', 'north-sea'],
  topics: [],
};
const match = (rest: object = {}) => ({ types: [], minSeverity: 'low' as const, matchers: [], ...rest });
const label = (name: string, op: '=' | '!=' | '~', value: string) => ({ matchers: [{ label: name, op, value }] });

describe('which events a dispatch rule is about', () => {
  it.each([
    ['anything', match(), true],
    ['a type', match({ types: ['*.pipeline_progress', '*.collection_*'] }), true],
    ['another type', match({ types: ['*.pipeline_progress'] }), false],
    ['a severity that is reached', match({ minSeverity: 'medium' }), true],
    ['a severity that is not', match({ minSeverity: 'high' }), false],
    ['its case', match(label('case', '=', 'case-7')), true],
    ['another case', match(label('case', '=', 'case-8')), false],
    ['one of its regions', match(label('region', '=', 'north-sea')), true],
    ['a region it must not be in', match(label('region', '!=', 'baltic')), false],
    ['a pattern of its origin', match(label('origin', '~', 'ae*')), true],
    ['a missing topic, which counts as empty', match(label('topic', '=', '')), true],
    ['a label that does not exist', match(label('colour', '=', 'red')), false],
  ])('%s', (_what, wanted, expected) => {
    expect(matchesRule(wanted, event)).toBe(expected);
  });

  it('facts of the mesh only where their type is named', () => {
    const fact = { ...event, origin: 'plexus.vm', type: 'dev.plexus.vm.state-changed.v1' };
    expect([matchesRule(match(), fact), matchesRule(match({ types: ['dev.plexus.vm.*'] }), fact)]).toEqual([false, true]);
  });

  it('puts the event into the prompt, and leaves other braces alone', () => {
    expect(renderPrompt('{{summary}} ({{caseId}}, {{type}}) {{constructor}} {{x}}', event)).toBe(
      'Collection about Aurora is complete (case-7, aegi.collection_done) {{constructor}} {{x}}',
    );
    expect(JSON.parse(renderPrompt('{{event}}', { ...event, summary: '$& $1' }))).toMatchObject({ summary: '$& $1', regions: ['baltic', 'north-sea'] });
  });
});

describe('a notification', () => {
  it('is an event with an identity of its own, and never too long', () => {
    const made = noticeEvent('acme', 'ann', { summary: 's'.repeat(2_000), text: 'x'.repeat(16_000), severity: 'high' }, 'n1', 0);
    expect(made).toMatchObject({ origin: 'push', id: 'n1', severity: 'high', subject: 'ann', occurredAt: '1970-01-01T00:00:00.000Z' });
    expect((made.data as { text: string }).text).toHaveLength(12_000);
    expect(made.key).not.toBe(noticeEvent('acme', 'ann', { summary: 's', severity: 'high' }, 'n2', 0).key);
    expect(shortened('ab😀', 3)).toBe('ab…');
  });
});
