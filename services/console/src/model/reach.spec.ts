import type { pushTriggersContracts as triggers } from '@plexus/contracts';
import { actionWith, browserName, localMinute, matchOf, patternsIn, ruleDraft, ruleWith } from './reach.js';

describe('changing a schedule', () => {
  it('keeps what the form does not ask for while the kind stays, and nothing of another kind', () => {
    const before: triggers.ScheduleAction = { kind: 'agent', message: 'What is new?', agentId: 'research', timeoutMs: 60_000 };
    expect(actionWith(before, 'agent', 'And now?')).toEqual({ ...before, message: 'And now?' });
    expect(actionWith(before, 'notify', 'Look!')).toEqual({ kind: 'notify', summary: 'Look!' });
    expect(actionWith(undefined, 'event', 'It is due.')).toEqual({ kind: 'event', summary: 'It is due.' });
  });

  it('shows a moment by the clock of the browser, and reads the same moment back', () => {
    const at = '2026-11-21T10:30:00.000Z';
    expect(new Date(localMinute(at)).toISOString()).toBe(at);
  });
});

describe('changing a rule', () => {
  const rule: triggers.DispatchRule = {
    id: 'rul_1',
    owner: 'ada',
    name: 'Collections',
    match: { types: ['a.*', 'b'], minSeverity: 'high', matchers: [{ label: 'case', op: '=', value: 'case-7' }] },
    research: { message: 'What is new?', agentId: 'research', timeoutMs: 60_000 },
    notify: { to: ['ada', 'bo'], onFailure: false },
    maxPerHour: 5,
    enabled: false,
    refused: 0,
    createdAt: '2026-11-21T10:00:00Z',
  };

  it('that says nothing new changes nothing', () => {
    const { name, match, research, notify, maxPerHour } = rule;
    // Whose it is, and whether it is on, is not asked, and may have been changed beside the form.
    expect(ruleWith(rule, ruleDraft(rule))).toEqual({ name, match, research, notify, maxPerHour });
  });

  it('keeps its conditions, its agent and whom it tells unless somebody else is chosen', () => {
    const changed = ruleWith(rule, { ...ruleDraft(rule), name: ' Sets ', types: 'c, d', to: 'followers' });
    expect(changed).toMatchObject({
      name: 'Sets',
      match: { types: ['c', 'd'], matchers: rule.match.matchers },
      notify: { to: 'followers', onFailure: false },
    });
  });

  it('of none is a new one', () => {
    expect(ruleWith(undefined, { ...ruleDraft(undefined), name: 'n', message: 'm' })).toEqual({
      name: 'n',
      match: { types: [], minSeverity: 'low' },
      research: { message: 'm' },
      notify: { to: 'owner' },
      maxPerHour: 60,
    });
  });
});

describe('what somebody wants to hear of', () => {
  it('is a match of push', () => {
    expect(matchOf('all', 'whatever')).toEqual({});
    expect(matchOf('types', 'a.*, b\nc')).toEqual({ types: ['a.*', 'b', 'c'] });
    expect(matchOf('case', ' case-7 ')).toEqual({ scopeKind: 'case', scopeRef: 'case-7' });
    expect(patternsIn(' ')).toEqual([]);
  });

  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36', 'Chrome, Linux'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0', 'Edge, Windows'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0', 'Firefox, macOS'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1', 'Safari, iOS'],
    ['curl/8', ''],
  ])('%s is called %s', (agent, name) => expect(browserName(agent)).toBe(name));
});
