import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import { explainLines } from '../src/commands/push-insight.js';
import { jobLines } from '../src/commands/push-replay-lines.js';
import { plexus } from './plexus.js';

describe('plexus push policy without a mesh', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plexus-policy-'));
  const file = path.join(folder, 'policy.yaml');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const test = async (text: string, ...flags: string[]) => {
    writeFileSync(file, text);
    return plexus(['--state', path.join(folder, 'state'), ...flags, 'push', 'policy', 'test', file]);
  };

  it('runs the tests of a file and says that all of them pass', async () => {
    const example = path.join(repositoryRoot(), 'services', 'push', 'policies', 'calm.yaml');
    const { code, out } = await plexus(['--state', path.join(folder, 'state'), 'push', 'policy', 'test', example]);
    expect([code, out]).toEqual([0, expect.stringMatching(/policy "calm": 3 of 3 tests pass/)]);
  });

  it('names each failing test with what was expected and what came, with exit code 4', async () => {
    const text =
      'name: x\ntests: [{ name: quiet, steps: [{ at: 0, event: { id: a } }], expect: { interrupts: 0 } }, { name: one, steps: [{ at: 0, event: { id: a } }], expect: { interrupts: 1 } }]';
    const failing = await test(text);
    expect([failing.code, failing.out]).toEqual([4, expect.stringMatching(/1 of 2 tests pass\n {2}✗ quiet\n {6}expected 0 interrupts, got 1/)]);
    expect((await test(text, '--json')).json()).toMatchObject({ issues: [], report: { passed: false, total: 2, failures: [{ test: 'quiet' }] } });
  });

  it('says where a text is no policy', async () => {
    const broken = await test('name: x\nthrottle: [{ n: 0, perSeconds: 1 }]');
    expect([broken.code, broken.out]).toEqual([4, expect.stringContaining('throttle.0.n')]);
    expect((await plexus(['push', 'policy', 'test', path.join(folder, 'none.yaml')])).code).toBe(2);
  });
});

describe('what plexus push prints', () => {
  it('explains with the answer first, then every decision with its trace', () => {
    const at = '2026-11-21T10:00:00.000Z';
    const lines = explainLines({
      outcome: 'deferred',
      sentence: 'Not sent yet: the limit of interruptions is used up.',
      user: 'me',
      event: { origin: 'crm', source: '/crm', id: 'e1', type: 'contact.updated' },
      others: 1,
      repeats: 2,
      decisions: [
        {
          verdict: 'deferred',
          reason: 'throttled',
          terminal: false,
          at,
          until: at,
          policyVersion: 3,
          trace: [
            { stage: 'validity', rule: 'expiresat', verdict: 'pass' },
            { stage: 'throttle', rule: '3 per 3600 s', verdict: 'defer', version: 3, input: { used: 3 } },
          ],
        },
      ],
      toBeSent: { stage: 'throttle', rule: '3 per 3600 s', version: 3, sentence: 'Fewer interruptions would have to lie in the window.' },
      subscriptions: [],
    });
    expect(lines[0]).toBe('deferred: Not sent yet: the limit of interruptions is used up.');
    expect(lines).toEqual(expect.arrayContaining(['  ✓ validity    expiresat', '  … throttle    3 per 3600 s v3  used=3', '2 more repeats of the same event']));
  });

  it('tells a replay with what it rests on, and marks critical regressions', () => {
    const at = '2026-11-21T10:00:00.000Z';
    const event = { origin: 'crm', source: '/crm', id: 'e1', type: 'alert' };
    const change = { user: 'ann', event, before: { verdict: 'sent', reason: 'sent', at, policyVersion: 1 }, why: 'was sent, would be inhibited' };
    const coverage = { from: at, to: at, warmUpFrom: at, inputs: 10, users: 2, complete: true, partitions: 64, assumptions: ['Nothing before is known.'] };
    const counts = { added: 0, removed: 1, moved: 0, unchanged: 3 };
    const result = {
      coverage,
      ...counts,
      criticalRegressions: [change],
      criticalRegressionCount: 1,
      examples: { added: [], removed: [change], moved: [] },
      interrupts: { before: 4, after: 3 },
      volume: [{ min: 0, max: 0, before: 0, after: 1 }],
      reasons: { before: {}, after: {} },
    };
    const job = {
      jobId: 'rpl_1',
      state: 'done' as const,
      progress: { inputs: 10, partitions: 64 },
      against: 1,
      version: 2,
      digest: 'd',
      createdAt: at,
      result,
    };
    const text = jobLines(job).join('\n');
    expect(text).toContain('1 CRITICAL REGRESSIONS: it cannot be activated');
    expect(text).toContain('ann alert e1: sent at 2026-11-21T10:00:00.000Z → nothing (was sent, would be inhibited)');
    expect(text).toContain('  - Nothing before is known.');
  });
});
