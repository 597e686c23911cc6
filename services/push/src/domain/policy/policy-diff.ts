import { stableStringify } from '@plexus/kernel';

/** One field in which two policies differ. An absent side: the field is not there. */
export interface PolicyChange {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

const MAX_CHANGES = 500;

/** What differs, field by field in the order of the names; elements of lists are compared by their place. */
export function diffPolicies(before: unknown, after: unknown): PolicyChange[] {
  const changes: PolicyChange[] = [];
  compare('', before, after, changes);
  return changes.slice(0, MAX_CHANGES);
}

function compare(path: string, before: unknown, after: unknown, changes: PolicyChange[]): void {
  if (stableStringify(before ?? null) === stableStringify(after ?? null) && (before === undefined) === (after === undefined)) return;
  if (isContainer(before) && isContainer(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    const ordered = Array.isArray(before) ? [...keys] : [...keys].sort();
    for (const key of ordered) compare(path === '' ? key : `${path}.${key}`, before[key], after[key], changes);
    return;
  }
  changes.push({ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) });
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
