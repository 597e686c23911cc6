import type { z } from 'zod';

/** One violation of a document: where, which rule, and what was expected. Values are never quoted: a document may hold references to secrets. */
export interface ConfigIssue {
  /** Dotted path with array indexes, `agents.list.0.id`; empty for the document itself. */
  readonly path: string;
  /** Stable name of the rule, for example `unrecognized_keys` or `duplicate_agent`. */
  readonly code: string;
  readonly message: string;
}

/** Turns every violation that zod found into our shape, ordered by path and then by rule, so that the same document always gives the same list. */
export function issuesOf(error: z.ZodError): ConfigIssue[] {
  return error.issues
    .flatMap(flatten)
    .sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }) || a.code.localeCompare(b.code, 'en') || a.message.localeCompare(b.message, 'en'));
}

/** One issue per unknown key: a list of three typing mistakes is three places to repair. */
function flatten(issue: z.core.$ZodIssue): ConfigIssue[] {
  const at = (...rest: PropertyKey[]) => [...issue.path, ...rest].map(String).join('.');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path: at(key), code: issue.code, message: 'there is no such setting' }));
  if (issue.code === 'invalid_key') return [{ path: at(), code: issue.code, message: issue.issues.map((inner) => inner.message).join('; ') }];
  const code = issue.code === 'custom' && typeof issue.params?.code === 'string' ? issue.params.code : issue.code;
  return [{ path: at(), code, message: issue.message }];
}
