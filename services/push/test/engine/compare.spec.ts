import type { PushPolicyText } from '@plexus/contracts';
import { compareRuns } from '../../src/domain/replay/compare.js';
import { Scenario } from '../support/scenario.js';

const run = (policy: Omit<PushPolicyText, 'name'>) =>
  new Scenario(policy)
    .event(0, 'a', { dedupKey: 'k' })
    .event(1, 'b')
    .event(2, 'bad', { severity: 'critical', dedupKey: 'bad' })
    .event(30, 'worse', { severity: 'critical', dedupKey: 'bad' })
    .until(100_000).decisions;

describe('two runs over the same log', () => {
  it('are alike when they are', () => {
    expect(compareRuns(run({}), run({}))).toEqual({ added: [], removed: [], moved: [], unchanged: 3, criticalRegressions: [] });
  });

  it('differ in what is sent, what is not, and when', () => {
    const found = compareRuns(
      run({}),
      run({ group: [{ match: { types: ['*'] }, mode: 'trailing', windowSeconds: 60 }], priority: { bySeverity: { medium: 'P1' } } }),
    );
    expect(found.moved.map(({ before, why }) => [before?.event.id, why])).toEqual([
      ['a', 'sent 60 s later'],
      ['b', 'sent 59 s later'],
    ]);
    expect(compareRuns(run({}), run({ priority: { floor: 1, bySeverity: { medium: 'P3' } } })).removed.map(({ why }) => why)).toEqual([
      'was sent, would be low_value',
      'was sent, would be low_value',
    ]);
    expect(found.criticalRegressions).toEqual([]);
  });

  it('name what is critical and would be lost', () => {
    const found = compareRuns(run({ collapse: { ttlSeconds: 10 } }), run({ collapse: { ttlSeconds: 600 } }));
    expect(found.criticalRegressions.map(({ before, why }) => [before?.event.id, why])).toEqual([['worse', 'was sent, would be collapsed']]);
    expect(compareRuns(run({ collapse: { ttlSeconds: 600 } }), run({ collapse: { ttlSeconds: 10 } })).added).toHaveLength(1);
  });

  it('know an escalation by its event, whatever its delivery is called', () => {
    const escalating = { escalation: { afterSeconds: [300] } };
    const found = compareRuns(run(escalating), run({ ...escalating, priority: { bySeverity: { medium: 'P3' } }, showSuppressed: ['collapsed'] }));
    expect(found.removed.map(({ before }) => before?.event.id)).toEqual(['a', 'b']);
    expect(found.criticalRegressions).toEqual([]);
    expect(compareRuns(run(escalating), run({})).criticalRegressions.map(({ before }) => before?.reason)).toEqual(['escalated']);
  });
});
