const SHORTEST = 6;

/** From this length on a part of a path is taken for a token, if it has letters and digits. */
const TOKEN = /^(?=.*\d)(?=.*[A-Za-z])[\w.~-]{16,}$/;

/**
 * What must not come back of where a server is and how it is asked: whole values of headers and their words (`Bearer` stands before the secret); of the
 * address user, password, values of its query, and parts of its path that look like tokens, as they are written and decoded.
 */
export function secretsIn({ url, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> }): string[] {
  const words = Object.values(headers).flatMap((value) => [value, ...value.split(/\s+/)]);
  const all = [...words, ...secretsOfAddress(url)].filter((word) => word.length >= SHORTEST && !/^(bearer|basic|token|digest)$/i.test(word));
  return [...new Set(all)].sort((a, b) => b.length - a.length);
}

function secretsOfAddress(text: string): string[] {
  const url = URL.parse(text);
  if (url === null) return [];
  const written = [
    url.username,
    url.password,
    ...url.search
      .slice(1)
      .split('&')
      .map((pair) => pair.slice(pair.indexOf('=') + 1)),
  ];
  const tokens = url.pathname.split('/').filter((part) => TOKEN.test(part));
  return [...written, ...tokens].flatMap((part) => [part, decoded(part)]);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '));
  } catch {
    // A lone percent sign: it is compared as it is written.
    return part;
  }
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
