import type { pushPolicyContracts } from '@plexus/contracts';
import { type PolicyIssue, readPolicy } from './domain/policy/policy-text.js';
import { testPolicy } from './domain/policy/test-policy.js';

/** What became of a policy in a file. */
export interface CheckedPolicyFile {
  readonly name?: string;
  readonly digest?: string;
  /** Where the text is no policy; the tests did not run then. */
  readonly issues: readonly PolicyIssue[];
  readonly report?: pushPolicyContracts.PolicyTestReport;
}

/** Reads a policy from YAML or JSON and runs its embedded tests, without any service: for `plexus push policy test <file>`. */
export function checkPolicyFile(text: string): CheckedPolicyFile {
  const read = readPolicy({ text });
  if (!read.ok) return { issues: read.error };
  const { body, digest } = read.value;
  return { name: body.name, digest, issues: [], report: testPolicy(body) };
}
