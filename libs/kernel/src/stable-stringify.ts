/**
 * JSON with the keys of every object in code-unit order, so that equal values give equal texts (for hashes and comparisons). Follows
 * `JSON.stringify` otherwise: `toJSON`, undefined members left out, NaN as null. Throws `TypeError` on a cycle or a bigint.
 */
export function stableStringify(value: unknown): string {
  return write(value, '', new Set()) ?? 'null';
}

function write(input: unknown, key: string, ancestors: Set<object>): string | undefined {
  const value = hasToJson(input) ? input.toJSON(key) : input;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return JSON.stringify(value);
  if (ancestors.has(value)) throw new TypeError('a cyclic value has no JSON text');
  ancestors.add(value);
  let text: string;
  if (Array.isArray(value)) {
    text = `[${value.map((item, index) => write(item, String(index), ancestors) ?? 'null').join(',')}]`;
  } else {
    const members: string[] = [];
    for (const name of Object.keys(value).sort()) {
      const member = write((value as Record<string, unknown>)[name], name, ancestors);
      if (member !== undefined) members.push(`${JSON.stringify(name)}:${member}`);
    }
    text = `{${members.join(',')}}`;
  }
  ancestors.delete(value);
  return text;
}

function hasToJson(value: unknown): value is { toJSON(key: string): unknown } {
  return value !== null && (typeof value === 'object' || typeof value === 'bigint') && typeof (value as { toJSON?: unknown }).toJSON === 'function';
}
