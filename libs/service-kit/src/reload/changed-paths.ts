import { stableStringify } from '@plexus/kernel';

/**
 * The dotted paths of the settings that differ, sorted. Like `diffPaths`, but a section that appears or disappears counts as the settings in
 * it: whoever first writes `gateway.reload` has changed that, and not the whole of `gateway`, which would mean a restart.
 */
export function changedPaths(before: unknown, after: unknown): string[] {
  const found: string[] = [];
  collect('', before, after, found);
  return found.sort();
}

function collect(path: string, before: unknown, after: unknown, found: string[]): void {
  const left = before === undefined && isPlainObject(after) ? {} : before;
  const right = after === undefined && isPlainObject(before) ? {} : after;
  if (isPlainObject(left) && isPlainObject(right)) {
    for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
      collect(path === '' ? name : `${path}.${name}`, own(left, name), own(right, name), found);
    }
    return;
  }
  if (left === right) return;
  if (typeof left === 'object' && typeof right === 'object' && stableStringify(left) === stableStringify(right)) return;
  found.push(path === '' ? '<root>' : path);
}

function own(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
