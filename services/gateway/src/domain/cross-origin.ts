/** What a page of another origin may send, and read of the answers. */
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const REQUEST_HEADERS = 'Authorization, Content-Type, Accept, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, traceparent, tracestate';
const EXPOSED_HEADERS = 'ETag, Retry-After, Location, Content-Disposition, Idempotent-Replayed, WWW-Authenticate';
const PREFLIGHT_SECONDS = '600';

/**
 * Headers that let a page of an allowed origin read the answer; none for other origins, whose pages the browser then keeps from reading it. Nothing is
 * allowed with cookies: callers prove themselves by a bearer token, which no browser adds by itself.
 */
export function corsHeaders(origin: string | undefined, allowed: readonly string[]): Record<string, string> {
  // Whoever stores answers must know that they differ, also for requests without an origin.
  const vary: Record<string, string> = allowed.length === 0 || allowed.includes('*') ? {} : { vary: 'Origin' };
  if (origin === undefined || !isAllowed(origin, allowed)) return vary;
  return { ...vary, 'access-control-allow-origin': allowed.includes('*') ? '*' : origin, 'access-control-expose-headers': EXPOSED_HEADERS };
}

/** The answer to a browser that asks before it sends; undefined when this is no such question or not of an allowed origin. */
export function preflightHeaders(
  request: { readonly method: string; readonly origin: string | undefined; readonly asks: string | undefined },
  allowed: readonly string[],
): Record<string, string> | undefined {
  const { method, origin, asks } = request;
  if (method !== 'OPTIONS' || origin === undefined || asks === undefined || !isAllowed(origin, allowed)) return undefined;
  return {
    ...corsHeaders(origin, allowed),
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': REQUEST_HEADERS,
    'access-control-max-age': PREFLIGHT_SECONDS,
  };
}

function isAllowed(origin: string, allowed: readonly string[]): boolean {
  return allowed.includes('*') || allowed.includes(origin);
}
