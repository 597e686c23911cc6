import type { z } from 'zod';

/** One violation of a document: where, which rule, what was expected, and what to do about it. */
export interface ConfigIssue {
  /** Dotted path with array indexes, `agents.list.0.id`; empty for the document itself. */
  readonly path: string;
  /** Stable name of the rule, for example `unrecognized_keys` or `duplicate_agent`. */
  readonly code: string;
  readonly message: string;
  /** The offending value, shortened; `[redacted]` where it may be a secret. Absent where the document holds nothing there, or must not be quoted. */
  readonly value?: unknown;
  /** What to do, as a sentence for the person who wrote the document. */
  readonly fix?: string;
}

/** Turns every violation that zod found into our shape, ordered by path and then by rule, so that the same document always gives the same list. Values are not quoted. */
export function issuesOf(error: z.ZodError): ConfigIssue[] {
  return sortIssues(error.issues.flatMap((issue) => flattenIssue(issue)));
}

/** Orders by path (numbers by value), then rule, then message; equal issues once. */
export function sortIssues(issues: readonly ConfigIssue[]): ConfigIssue[] {
  const sorted = [...issues].sort(
    (a, b) => order.compare(a.path, b.path) || compareText(a.path, b.path) || compareText(a.code, b.code) || compareText(a.message, b.message),
  );
  return sorted.filter((issue, index) => index === 0 || !isSame(issue, sorted[index - 1] as ConfigIssue));
}

const order = new Intl.Collator('en', { numeric: true });
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const isSame = (a: ConfigIssue, b: ConfigIssue): boolean => a.path === b.path && a.code === b.code && a.message === b.message;

/** One issue per unknown key: a list of three typing mistakes is three places to repair. */
export function flattenIssue(issue: z.core.$ZodIssue): ConfigIssue[] {
  const at = (...rest: PropertyKey[]) => [...issue.path, ...rest].map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path: at(key), code: issue.code, message: 'there is no such setting' }));
  if (issue.code === 'invalid_key') return [{ path: at(), code: issue.code, message: issue.issues.map((inner) => inner.message).join('; ') }];
  if (issue.code === 'invalid_type') return [{ path: at(), code: issue.code, message: `must be ${kindName(issue.expected)}` }];
  const code = issue.code === 'custom' && typeof issue.params?.code === 'string' ? issue.params.code : issue.code;
  return [{ path: at(), code, message: issue.message }];
}

/** A kind of value in words, `a whole number`. */
export function kindName(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    object: 'an object',
    record: 'an object',
    array: 'a list',
    int: 'a whole number',
    string: 'a text',
    boolean: 'true or false',
  };
  return names[expected] ?? `a ${expected}`;
}
