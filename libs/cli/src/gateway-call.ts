import { CommandFailure, EXIT } from './exit-code.js';

/** Where a gateway is, and as whom it is asked. */
export interface GatewayAccess {
  readonly http: string;
  readonly token: string;
}

/** One call of the HTTP API: `path` begins with a slash. Rejects with the problem that the gateway answers, and with UNREACHABLE when it does not answer in time. */
export async function callGateway<T>(
  { http, token }: GatewayAccess,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body: unknown,
  { timeoutMs, hint }: { readonly timeoutMs: number /** What to do when it cannot be reached. */; readonly hint?: string },
): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${http}${path}`, {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (cause) {
    throw new CommandFailure(`The gateway at ${http} cannot be reached: ${(cause as Error).message}`, EXIT.unreachable, hint, 'UNREACHABLE');
  }
  if (response.ok) return JSON.parse(text) as T;
  const problem = readProblem(text);
  const retry = response.headers.get('retry-after');
  throw new CommandFailure(problem.detail, EXIT.failed, retry === null ? undefined : `Try again in ${retry} s.`, problem.code);
}

function readProblem(text: string): { readonly code: string; readonly detail: string } {
  try {
    const { code, detail, title } = JSON.parse(text) as { code?: string; detail?: string; title?: string };
    return { code: code ?? 'FAILED', detail: detail ?? title ?? text };
  } catch {
    // Not our gateway: what it says is all there is.
    return { code: 'FAILED', detail: text.slice(0, 500) };
  }
}
