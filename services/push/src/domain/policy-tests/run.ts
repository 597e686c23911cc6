import type { PolicyTest, PushPolicy } from '@plexus/contracts';
import { createEngine } from '../engine/engine.js';
import type { Engine, Outcome } from '../engine/types.js';
import { LogRun } from '../replay/run-log.js';
import { expectations, type Observed } from './expectations.js';
import { EVERYBODY, inputsOf, type Said, saidAfter, TEST_TENANT, TEST_USER } from './inputs.js';

export interface PolicyTestResult {
  readonly passed: boolean;
  /** Tests that ran. */
  readonly total: number;
  /** One for each expectation that does not hold. */
  readonly failures: readonly { readonly test: string; readonly message: string }[];
}

const DAY_SECONDS = 86_400;

/** Runs the tests that a policy carries through the engine that decides in earnest, each from an empty beginning. */
export function runPolicyTests(policy: PushPolicy, engine: Engine = createEngine()): PolicyTestResult {
  const failures = policy.tests.flatMap((test) => runTest(policy, test, engine).map((message) => ({ test: test.name, message })));
  return { passed: failures.length === 0, total: policy.tests.length, failures };
}

/** What one test found wrong; empty = it passed. */
function runTest(policy: PushPolicy, test: PolicyTest, engine: Engine): string[] {
  const start = Date.parse(test.start);
  const run = new LogRun(engine, () => 'test');
  run.feed({ kind: 'policy', data: { version: 1, body: policy }, id: 'policy', tenant: TEST_TENANT, user: EVERYBODY, seq: 0, at: start });
  const outcomes: Outcome[] = [];
  const seen = { start, outcomes } satisfies Observed;
  const steps = test.steps.map((step, place) => ({ step, place })).sort((a, b) => a.step.at - b.step.at || a.place - b.place);
  let last = 0;
  let said: Said = { preferences: [] };
  for (const [place, { step }] of steps.entries()) {
    last = step.at;
    const inputs = inputsOf(step, { start, seq: place + 1, outcomes, said });
    said = saidAfter(said, step);
    if (typeof inputs === 'string') return [inputs];
    for (const input of inputs) {
      const outcome = run.feed(input);
      if (outcome !== undefined) outcomes.push(outcome);
    }
  }
  const end = start + Math.round((test.until ?? last + DAY_SECONDS) * 1_000);
  const wake = {
    kind: 'timer',
    data: { timerId: 'wake', dueAt: end },
    id: 'end',
    tenant: TEST_TENANT,
    user: TEST_USER,
    seq: steps.length + 1,
    at: end,
  } as const;
  const outcome = run.feed(wake);
  if (outcome !== undefined) outcomes.push(outcome);
  return expectations(test.expect, seen);
}
