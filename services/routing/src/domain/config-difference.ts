/** One changed path with what stood and what stands there. */
export interface ConfigDifference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A value as people may see it: secrets replaced, references kept; in full, or short enough to come along in any number. */
export type PrintValue = (value: unknown, path: readonly string[], isBrief: boolean) => unknown;

/** Characters of JSON that values printed in full may have together: an answer has to fit into one message. */
export const MAX_PRINTED = 262_144;

const ROOT = '<root>';

/** Compares two documents over their plain objects; arrays and changes of kind are one difference at their path. The same paths as the reload plan sees. */
export function differencesOf(before: unknown, after: unknown, print: PrintValue): ConfigDifference[] {
  const found: ConfigDifference[] = [];
  let left = MAX_PRINTED;
  compare([], before, after, found, (value, path) => {
    const whole = print(value, path, false);
    const size = JSON.stringify(whole).length;
    if (size > left) return print(value, path, true);
    left -= size;
    return whole;
  });
  return found;
}

function compare(
  path: readonly string[],
  before: unknown,
  after: unknown,
  found: ConfigDifference[],
  print: (value: unknown, path: readonly string[]) => unknown,
): void {
  if (isPlainObject(before) && isPlainObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    for (const name of names) compare([...path, name], own(before, name), own(after, name), found, print);
    return;
  }
  if (same(before, after)) return;
  found.push({
    path: path.join('.') || ROOT,
    ...(before !== undefined && { before: print(before, path) }),
    ...(after !== undefined && { after: print(after, path) }),
  });
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

function own(object: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
