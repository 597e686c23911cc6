import { randomUUID } from 'node:crypto';
import { waitFor } from '../../src/index.js';

export interface HistoryMessage {
  readonly role: string;
  readonly text: string;
  readonly runId?: string;
}

export interface InboxItem {
  readonly offset: number;
  readonly events: readonly { readonly id: string }[];
}

const REQUEST_TIMEOUT_MS = 20_000;
/** More than any of this takes on a slow machine under load. */
const PATIENCE_MS = 120_000;

/**
 * A user of a mesh over HTTP, as stubborn as a good client: what is not acknowledged is sent again with the same idempotency key, so
 * that whatever this class returns as accepted must exist exactly once in the end.
 */
export class MeshUser {
  constructor(
    private readonly http: string,
    private readonly token: string,
  ) {}

  /** One request; throws on anything but 2xx. */
  async request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
    const response = await fetch(`${this.http}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} → ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Repeats a request that is safe to repeat until it is acknowledged. */
  private stubborn<T>(what: string, send: () => Promise<T>): Promise<NonNullable<T>> {
    return waitFor(send, { timeoutMs: PATIENCE_MS, intervalMs: 200, what: `the acknowledgement of ${what}` });
  }

  async say(sessionKey: string, message: string): Promise<string> {
    const idempotencyKey = randomUUID();
    await this.stubborn(message, () => this.request('POST', '/v1/chat/send', { sessionKey, message, idempotencyKey }));
    return idempotencyKey;
  }

  async history(sessionKey: string): Promise<HistoryMessage[]> {
    const answer = await this.request<{ messages: HistoryMessage[] }>('GET', `/v1/sessions/${encodeURIComponent(sessionKey)}/history?limit=1000`);
    return answer.messages;
  }

  /** Both sides of every given run, each exactly once. */
  async complete(sessionKey: string, runIds: readonly string[], timeoutMs = PATIENCE_MS): Promise<HistoryMessage[]> {
    return waitFor(
      async () => {
        const messages = await this.history(sessionKey);
        const answered = runIds.every((runId) => messages.some((message) => message.runId === runId && message.role === 'assistant'));
        return answered ? messages : undefined;
      },
      { timeoutMs, intervalMs: 200, what: `an answer to each of ${runIds.length} messages in ${sessionKey}` },
    );
  }

  async remember(content: string): Promise<string> {
    const key = randomUUID();
    const answer = await this.stubborn(content, () => this.request<{ id: string }>('POST', '/v1/memory', { content }, { 'idempotency-key': key }));
    return answer.id;
  }

  async recall(query: string): Promise<{ id: string; content: string; score: number }[]> {
    const answer = await this.stubborn(`a search for ${query}`, () =>
      this.request<{ hits: { id: string; content: string; score: number }[] }>('GET', `/v1/memory/search?q=${encodeURIComponent(query)}&k=50`),
    );
    return answer.hits;
  }

  async follow(scopeKind: string, scopeRef: string): Promise<void> {
    await this.stubborn(`subscription to ${scopeRef}`, () => this.request('POST', '/v1/subscriptions', { scopeKind, scopeRef }));
  }

  /** The whole inbox, oldest first. */
  async inbox(): Promise<InboxItem[]> {
    const items: InboxItem[] = [];
    for (;;) {
      const page = await this.request<{ items: InboxItem[] }>('GET', `/v1/inbox?after=${items.at(-1)?.offset ?? 0}&limit=200`);
      items.push(...page.items);
      if (page.items.length === 0) return items;
    }
  }
}
