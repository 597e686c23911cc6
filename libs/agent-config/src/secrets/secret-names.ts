// Last words of names whose value is a secret: `botToken`, `API_KEY`, `clientSecret`.
const LAST_WORDS = new Set([
  'token',
  'secret',
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'pass',
  'pat',
  'dsn',
  'credential',
  'credentials',
  'authorization',
  'cookie',
  'apikey',
  'bearer',
]);
const BEFORE_KEY = new Set(['api', 'access', 'secret', 'private', 'signing', 'master', 'encryption', 'auth', 'license']);

/** Forms that secrets are known to have, wherever they stand. */
const SHAPES: readonly RegExp[] = [
  /\bsk-[A-Za-z0-9_-]{8,}/,
  /\bxox[abeoprs]-[A-Za-z0-9-]{8,}/,
  /\bxapp-[A-Za-z0-9-]{8,}/,
  /\bgh[opsur]_[A-Za-z0-9]{20,}/,
  /\bAKIA[A-Z0-9]{16}\b/,
  /\bAIza[A-Za-z0-9_-]{30,}/,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/,
  /\b\d{6,12}:[A-Za-z0-9_-]{30,}/,
  /\bS[UAOCNX][A-Z2-7]{55,57}\b/,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:]+:[^\s/@]+@/i,
];

/** True for a setting whose value is a secret, judged by its name in any spelling. */
export function isSecretName(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  const last = words.at(-1);
  if (last === undefined) return false;
  return LAST_WORDS.has(last) || (last === 'key' && isSecretKey(name, words.at(-2) ?? ''));
}

/** A key is a secret when it is said to be one. Among environment variables (`OPENAI_KEY`) nearly every key is: all but public ones. */
function isSecretKey(name: string, wordBefore: string): boolean {
  const isVariable = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(name);
  return BEFORE_KEY.has(wordBefore) || (isVariable && wordBefore !== 'public');
}

/** True for a text in which something has the form of a secret. */
export function looksSecret(text: string): boolean {
  return SHAPES.some((shape) => shape.test(text));
}
