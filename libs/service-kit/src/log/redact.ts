const SECRET_NAME =
  /(^|[_-])(token|secret|password|passwd|passphrase|authorization|cookie|api[_-]?key|private[_-]?key|master[_-]?key|signing[_-]?key|access[_-]?key|seed|credential|credentials|ticket|jwt|bearer)s?$/;
/** Where the secret is, how long it lives, or what it is called is no secret. */
const ABOUT_A_SECRET = /(^|[_-])(file|dir|path|url|id|ids|ms|seconds|ttl|count|bytes|name|kind|type)$/;

/** True when a field or variable of this name holds a secret: `token`, `GATEWAY_TOKEN`, `apiKey`, `Plexus-Auth`; not `GATEWAY_TOKEN_FILE`. */
export function isSecretName(name: string): boolean {
  const snake = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  if (snake === 'plexus-auth' || snake === 'set-cookie') return true;
  return SECRET_NAME.test(snake) && !ABOUT_A_SECRET.test(snake);
}

const SECRET_TEXT: readonly [RegExp, string][] = [
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [redacted]'],
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*/g, '[redacted]'],
  [/\bS[UAONC][A-Z2-7]{56}\b/g, '[redacted]'],
  [/\bsk-[A-Za-z0-9_-]{16,}/g, '[redacted]'],
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1[redacted]@'],
  [/([?&](?:token|ticket|access_token|api_key|apikey|key|secret|password)=)[^&\s"']+/gi, '$1[redacted]'],
];

/** Takes out of free text what looks like a secret: bearer tokens, JWTs, nkey seeds, API keys, passwords and tokens in URLs. */
export function scrubText(text: string): string {
  let scrubbed = text;
  for (const [pattern, replacement] of SECRET_TEXT) scrubbed = scrubbed.replace(pattern, replacement);
  return scrubbed;
}

const MAX_DEPTH = 6;
const MAX_ENTRIES = 200;

/**
 * A copy of a value that is safe to log: secrets by name and in text are replaced, depth and breadth are bounded, and errors become
 * plain objects with their causes. Never throws, whatever it is given.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[too deep]';
  try {
    if (value instanceof Error) return redactError(value, depth);
    if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
    if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((entry) => redact(entry, depth + 1));
    if (value instanceof Set) return redact([...value], depth);
    if (value instanceof Map)
      return redactFields(
        [...value].map(([key, entry]) => [String(key), entry]),
        depth,
      );
    return redactFields(Object.entries(value), depth);
  } catch (error) {
    // A getter or proxy of a foreign object threw; the rest of the line is worth more than this field.
    return `[unreadable: ${error instanceof Error ? error.name : typeof error}]`;
  }
}

function redactFields(fields: readonly (readonly [string, unknown])[], depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, field] of fields.slice(0, MAX_ENTRIES)) {
    if (field !== undefined) copy[name] = isSecretName(name) && mayBeSecret(field) ? '[redacted]' : redact(field, depth + 1);
  }
  return copy;
}

/** `tokens: 532` counts something. */
function mayBeSecret(field: unknown): boolean {
  return typeof field !== 'number' && typeof field !== 'boolean' && field !== null;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause, ...own } = error as Error & Record<string, unknown>;
  return {
    type: error.name,
    message: scrubText(error.message),
    ...redactFields(Object.entries(own), depth),
    ...(error.stack !== undefined && { stack: scrubText(error.stack) }),
    ...(error.cause !== undefined && { cause: redact(error.cause, depth + 1) }),
  };
}
