import { PlexusError } from '@plexus/kernel';

interface Problem {
  readonly code?: unknown;
  readonly detail?: unknown;
  readonly title?: unknown;
  readonly status?: unknown;
  readonly retryable?: unknown;
  readonly issues?: unknown;
}

/** The error that a response of the HTTP API tells (`application/problem+json`); what is no problem document becomes HTTP_<status>. */
export async function problemOf(response: Response): Promise<PlexusError> {
  const body = (await response.json().catch(() => undefined)) as Problem | undefined;
  const { code, detail, title, retryable, issues } = body ?? {};
  const text = typeof detail === 'string' ? detail : typeof title === 'string' ? title : `The gateway answered with status ${response.status}.`;
  const retryAfterMs = waitOf(response);
  const details = { ...(issues === undefined ? {} : { issues }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return new PlexusError({
    code: typeof code === 'string' ? code : `HTTP_${response.status}`,
    message: text,
    status: response.status,
    retryable: typeof retryable === 'boolean' ? retryable : response.status >= 500 || response.status === 429,
    ...(Object.keys(details).length > 0 && { details }),
  });
}

/** `Retry-After` in milliseconds. */
export function waitOf(response: Response): number | undefined {
  const text = response.headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = Number(text);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** A request that got no answer. */
export function unreachable(url: string, cause: unknown): PlexusError {
  return new PlexusError({ code: 'UNAVAILABLE', message: `No answer from ${url}.`, retryable: true, status: 503, cause });
}
