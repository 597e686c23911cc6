/** Where a configuration file is brought to: the mesh behind its gateway. */
export interface ConfigTarget {
  /** What is in force: its text, and the ETag that a write has to name. */
  current(): Promise<{ readonly text: string; readonly etag: string; readonly exists: boolean }>;
  /** Replaces it. `rejected`: it is not valid (or was refused), and why. Rejects when the mesh cannot be reached now. */
  apply(
    text: string,
    etag: string,
  ): Promise<{ readonly outcome: 'written' | 'unchanged' | 'conflict' } | { readonly outcome: 'rejected'; readonly reason: string }>;
}

const TIMEOUT_MS = 20_000;

/** `/v1/config` of a gateway, as the user whose token it is. */
export class GatewayConfigTarget implements ConfigTarget {
  constructor(
    private readonly http: string,
    private readonly token: string,
    private readonly comment: string,
  ) {}

  async current(): Promise<{ text: string; etag: string; exists: boolean }> {
    const response = await this.request('GET', '');
    if (!response.ok) throw new Error(`the gateway answered ${response.status} when asked for the configuration`);
    const { text, exists } = (await response.json()) as { text: string; exists: boolean };
    return { text, exists, etag: response.headers.get('etag') ?? '' };
  }

  async apply(text: string, etag: string): ReturnType<ConfigTarget['apply']> {
    const response = await this.request('PUT', `?comment=${encodeURIComponent(this.comment)}`, text, etag);
    const answer = (await response.json()) as { changed?: boolean; detail?: string; issues?: { path: string; message: string; fix?: string }[] };
    if (response.ok) return { outcome: answer.changed === true ? 'written' : 'unchanged' };
    if (response.status === 409) return { outcome: 'conflict' };
    if (response.status >= 500) throw new Error(`the gateway answered ${response.status}: ${answer.detail ?? ''}`);
    const issues = answer.issues?.map(({ path, message, fix }) => `${path || 'document'}: ${message}${fix === undefined ? '' : ` (${fix})`}`);
    return { outcome: 'rejected', reason: issues?.join('; ') || answer.detail || `the gateway answered ${response.status}` };
  }

  private request(method: string, query: string, body?: string, etag?: string): Promise<Response> {
    return fetch(`${this.http}/v1/config${query}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body !== undefined && { 'content-type': 'application/json5' }),
        ...(etag !== undefined && { 'if-match': etag }),
      },
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  }
}
