import type { z } from 'zod';
import { type ConfigIssue, flattenIssue, kindName } from '../issue.js';
import { quoteValue } from './quote-value.js';
import { keysAt } from './schema-tree.js';
import { suggest } from './suggest.js';

/** Adds the offending value and a fix to what zod found. */
export function describeIssue(issue: z.core.$ZodIssue, document: unknown): ConfigIssue[] {
  const segments = issue.path.map(String);
  const known = issue.code === 'unrecognized_keys' ? keysAt(segments) : [];
  return flattenIssue(issue).map((flat, index) => {
    const isKey = issue.code === 'unrecognized_keys';
    const key = isKey ? (issue.keys[index] as string) : undefined;
    const value = quoteValue(document, key === undefined ? issue.path : [...issue.path, key]);
    const fix = key === undefined ? fixFor(issue, value) : keyFix(key, known);
    return { ...flat, ...(value !== undefined && { value }), fix };
  });
}

function keyFix(key: string, known: readonly string[]): string {
  const meant = suggest(key, known);
  if (meant !== undefined) return `did you mean ${meant}?`;
  return known.length === 0 || known.length > 24 ? 'remove it' : `remove it; known here: ${[...known].sort().join(', ')}`;
}

function fixFor(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_value': {
      const options = issue.values.map(String);
      const meant = typeof value === 'string' ? suggest(value, options) : undefined;
      return meant === undefined ? `use one of: ${options.join(', ')}` : `did you mean ${meant}?`;
    }
    case 'invalid_type':
      return value === undefined ? `add it: ${kindName(issue.expected)}` : `write ${kindName(issue.expected)}`;
    case 'too_small':
      return `use at least ${issue.minimum}${unit(issue.origin)}`;
    case 'too_big':
      return `use at most ${issue.maximum}${unit(issue.origin)}`;
    case 'invalid_format':
      return issue.message;
    case 'custom':
      return customFix(issue);
    case 'invalid_key':
      return 'use another name';
    default:
      return `correct it: ${issue.message}`;
  }
}

const CUSTOM_FIXES: Readonly<Record<string, string>> = {
  duplicate_agent: 'give every agent its own id',
  duplicate_job: 'give every job its own id',
  two_defaults: 'leave `default` with one agent',
  unknown_agent: 'add the agent to agents.list, or name one that is there',
  unknown_account: 'name an account that is there',
  plain_secret: `write \${NAME} and set the variable, or seal the secret`,
};

function customFix(issue: { readonly params?: Record<string, unknown> | undefined; readonly message: string }): string {
  const code = issue.params?.code;
  return (typeof code === 'string' ? CUSTOM_FIXES[code] : undefined) ?? `correct it: ${issue.message}`;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}
