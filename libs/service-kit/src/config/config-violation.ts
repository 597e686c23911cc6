import type { z } from 'zod';
import { isSecretName, scrubText } from '../log/redact.js';

/** One setting that cannot be used. */
export interface ConfigViolation {
  readonly variable: string;
  /** What is wrong and what was expected; quotes the value unless it is a secret. One sentence for people. */
  readonly sentence: string;
}

const LONGEST_QUOTE = 200;

/** Tells a person which variable to change, what it holds now, and what it should hold. */
export function violationOf(issue: z.core.$ZodIssue, schema: z.ZodObject, given: Readonly<Record<string, string>>): ConfigViolation {
  const variable = String(issue.path[0] ?? '(combination of settings)');
  const expectation = issue.message.replace(/^Invalid (input|option|string): /, '');
  const description = (schema.shape[variable] as z.ZodType | undefined)?.description;
  const purpose = description === undefined ? '' : ` (${description.replace(/\.$/, '')})`;
  const value = given[variable];
  if (value === undefined && issue.path.length > 0) return { variable, sentence: `${variable} is not set: ${missing(expectation)}${purpose}` };
  return { variable, sentence: `${variable}${value === undefined ? '' : `=${quote(variable, value)}`}: ${expectation}${purpose}` };
}

/** "received undefined" says nothing to somebody who forgot a variable. */
function missing(expectation: string): string {
  return expectation.replace(/, received (undefined|NaN)$/, '');
}

/** Path-like settings are shown even when their name says token or key: it is the file that is secret, not where it is. */
function quote(variable: string, value: string): string {
  if (isSecretName(variable)) return '[redacted]';
  const shown = scrubText(value);
  return JSON.stringify(shown.length > LONGEST_QUOTE ? `${shown.slice(0, LONGEST_QUOTE)}…` : shown);
}
