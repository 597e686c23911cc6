/** One changed path with what stood and what stands there. */
export interface ConfigDifference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Whether a setting of this name holds a secret, and whether a value is only a reference to one. */
export interface SecretRules {
  isSecretName(name: string): boolean;
  isReference(value: unknown): boolean;
}

const ROOT = '<root>';
const HIDDEN = '[redacted]';

/** Compares two documents over their plain objects; arrays and changes of type are one difference at their path. Same paths as the reload plan sees. */
export function differencesOf(before: unknown, after: unknown, rules: SecretRules): ConfigDifference[] {
  const found: ConfigDifference[] = [];
  compare([], before, after, rules, found);
  return found;
}

function compare(path: readonly string[], before: unknown, after: unknown, rules: SecretRules, found: ConfigDifference[]): void {
  if (isPlainObject(before) && isPlainObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    for (const name of names) compare([...path, name], before[name], after[name], rules, found);
    return;
  }
  if (same(before, after)) return;
  const print = (value: unknown) => printable(value, path.at(-1) ?? '', rules);
  found.push({
    path: path.join('.') || ROOT,
    ...(before !== undefined && { before: print(before) }),
    ...(after !== undefined && { after: print(after) }),
  });
}

/** A value as people may see it: secrets that stand there themselves are replaced, references stay. */
export function printable(value: unknown, name: string, rules: SecretRules): unknown {
  if (rules.isReference(value)) return value;
  if (Array.isArray(value)) return value.map((item) => printable(item, name, rules));
  if (isPlainObject(value)) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, printable(inner, key, rules)]));
  return typeof value === 'string' && value !== '' && rules.isSecretName(name) ? HIDDEN : value;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
