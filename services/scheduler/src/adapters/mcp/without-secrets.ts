const SHORTEST = 6;

/** The parts of headers that must not come back: whole values, and their words (`Bearer` stands before the secret). */
export function secretsIn(headers: Readonly<Record<string, string>>): string[] {
  const words = Object.values(headers).flatMap((value) => [value, ...value.split(/\s+/)]);
  return [...new Set(words.filter((word) => word.length >= SHORTEST && !/^(bearer|basic|token|digest)$/i.test(word)))].sort((a, b) => b.length - a.length);
}

/** The same value with every occurrence of a secret in its texts replaced. */
export function withoutSecrets<T>(value: T, secrets: readonly string[]): T {
  if (secrets.length === 0) return value;
  return scrub(value, secrets) as T;
}

function scrub(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), value);
  if (Array.isArray(value)) return value.map((item) => scrub(item, secrets));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [scrub(key, secrets), scrub(item, secrets)]));
}
