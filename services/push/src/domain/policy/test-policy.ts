import type { PushPolicy, pushPolicyContracts } from '@plexus/contracts';
import { runPolicyTests } from '../policy-tests/run.js';

/** The tests of one policy run in one go, beside people's decisions: more steps than this are refused, not begun. */
const MOST_STEPS = 20_000;
/** Failures that are told; the rest is counted. */
const MOST_FAILURES = 100;
const MOST_LETTERS = 2_000;

/** Runs the embedded tests of a policy. A policy without tests passes. */
export function testPolicy(policy: PushPolicy): pushPolicyContracts.PolicyTestReport {
  const steps = policy.tests.reduce((sum, test) => sum + test.steps.length, 0);
  const total = policy.tests.length;
  if (steps > MOST_STEPS) {
    return { passed: false, total, failures: [{ test: policy.name, message: `has ${steps} steps in its tests; at most ${MOST_STEPS} are run` }] };
  }
  const { passed, failures } = runPolicyTests(policy);
  const told = failures.slice(0, MOST_FAILURES).map(({ test, message }) => ({ test, message: message.slice(0, MOST_LETTERS) }));
  const left = failures.length - told.length;
  return { passed, total, failures: left > 0 ? [...told, { test: policy.name, message: `${left} further failures` }] : told };
}
