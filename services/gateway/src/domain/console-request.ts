/** What a request for something outside the API wants of the console. */
export type ConsoleTarget =
  /** A file of the built page, by its path relative to it. `hashed`: its name changes with its content. */
  { readonly kind: 'file'; readonly file: string; readonly hashed: boolean } | { readonly kind: 'page' };

/** One level of folders, no hidden names, no way up: whatever is asked for lies in the folder. */
const FILE = /^\/((?:assets\/)?[A-Za-z0-9_-][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+)$/;
/** Never the console's, whatever the caller accepts: a wrong address of the API is answered as the API answers. */
const OTHERS = /^\/(v1|ws|healthz|livez|readyz)(\/|$)/;

/** `accept`: the header of the same name; only who reads HTML is answered with the page. Undefined: nothing of the console. */
export function consoleTarget(method: string, path: string, accept: string | undefined): ConsoleTarget | undefined {
  if ((method !== 'GET' && method !== 'HEAD') || OTHERS.test(path)) return undefined;
  const [, file] = FILE.exec(path) ?? [];
  if (file !== undefined) return { kind: 'file', file, hashed: file.startsWith('assets/') };
  if (path === '/' || accept?.includes('text/html') === true) return { kind: 'page' };
  return undefined;
}

/** The stored form of a file that the caller reads, smallest first; undefined: as it is. */
export function encodingFor(acceptEncoding: string | undefined, stored: readonly string[]): 'br' | 'gzip' | undefined {
  const accepted = new Set(
    (acceptEncoding ?? '')
      .split(',')
      .map((part) => part.trim().toLowerCase())
      .filter((part) => !/;\s*q=0(\.0*)?$/.test(part))
      .map((part) => part.split(';')[0]?.trim()),
  );
  if (accepted.has('br') && stored.includes('br')) return 'br';
  if (accepted.has('gzip') && stored.includes('gzip')) return 'gzip';
  return undefined;
}

/** Nothing but our own files, no inline code, no frames around it: what somebody smuggles into a message stays text. */
export const CONSOLE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    // Pictures of a conversation come with the token, by script: their addresses are those of blobs.
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};
