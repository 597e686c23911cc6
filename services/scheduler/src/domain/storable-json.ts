/** An escape that JSON has and Postgres has not: U+0000 and lone surrogates. An even number of backslashes before it belongs to the text. */
const UNSTORABLE_ESCAPE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/**
 * JSON text that `jsonb` takes, whatever the strings and keys in it hold: what it cannot keep becomes U+FFFD. A message with such a
 * character must reach its agent, not stay in a queue for ever.
 */
export function storableJson(value: unknown): string {
  // JSON.stringify escapes exactly U+0000 and lone surrogates in this form; real pairs stay as they are.
  return JSON.stringify(value).replace(UNSTORABLE_ESCAPE, '$1\\ufffd');
}
