import { HttpFailure } from './refusal.js';

/** A person, or a program with its token, over HTTP. */
export class HttpUser {
  constructor(
    private readonly base: string,
    private readonly token: string,
  ) {}

  /** One request. Throws {@link HttpFailure} for anything but 2xx, and whatever fetch throws. */
  async request<T>(method: string, path: string, body?: unknown, options: { key?: string; timeoutMs?: number } = {}): Promise<T> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        // Every request may reach another gateway, also one that has just come back.
        connection: 'close',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new HttpFailure(response.status, text, `${method} ${path}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
