import { isForbiddenKey } from '../load/merge.js';
import type { ConfigIssue } from '../issue.js';

const MAX_DEPTH = 64;
const MAX_VALUES = 1_000_000;

/** What makes a document unfit for any further look: nesting without end, or keys that reach into prototypes. Walks level by level, so no depth can hurt. */
export function documentProblem(document: unknown): ConfigIssue | undefined {
  let level: { value: unknown; path: string }[] = [{ value: document, path: '' }];
  let count = 0;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return { path: '', code: 'too_deep', message: `the document is nested deeper than ${MAX_DEPTH} levels`, fix: 'nest less' };
    const below: typeof level = [];
    for (const { value, path } of level) {
      if (typeof value !== 'object' || value === null) continue;
      for (const key of Object.keys(value)) {
        const at = path === '' ? key : `${path}.${key}`;
        if (isForbiddenKey(key)) return { path: at, code: 'forbidden_key', message: `the key ${key} is not accepted`, fix: 'use another name' };
        count += 1;
        below.push({ value: (value as Record<string, unknown>)[key], path: at });
      }
      if (count > MAX_VALUES) return { path: '', code: 'too_large', message: `the document has more than ${MAX_VALUES} values`, fix: 'make it smaller' };
    }
    level = below;
  }
  return undefined;
}
