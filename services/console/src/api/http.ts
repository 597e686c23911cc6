/** What the gateway answers when something went wrong (`application/problem+json`). */
export interface Problem {
  readonly title?: string;
  readonly status?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly retryable?: boolean;
  readonly issues?: readonly Issue[];
  readonly details?: Readonly<Record<string, unknown>>;
  readonly [extra: string]: unknown;
}

export interface Issue {
  readonly path: string;
  readonly message: string;
  readonly code?: string;
}

/** A request that was answered with an error, or not at all (`code` is `NETWORK` then). */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly problem: Problem,
    options?: { cause?: unknown },
  ) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`, options);
  }

  get code(): string {
    return this.problem.code ?? 'INTERNAL';
  }

  get issues(): readonly Issue[] {
    return this.problem.issues ?? [];
  }
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  /** Sent as it is, with this content type. */
  readonly text?: { readonly type: string; readonly content: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer<T> {
  readonly data: T;
  readonly etag: string | undefined;
}

const TIMEOUT_MS = 60_000;

/** The HTTP API of the gateway that this page came from. */
export class Api {
  constructor(
    private readonly token: () => string | undefined,
    /** The token is not (or no longer) good. */
    private readonly onUnauthenticated: (error: ApiError) => void,
  ) {}

  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return this.send<T>('GET', path, { ...(query && { query }), signal }).then(({ data }) => data);
  }

  post<T>(path: string, body?: unknown, options: RequestOptions = {}): Promise<T> {
    return this.send<T>('POST', path, { ...options, body }).then(({ data }) => data);
  }

  put<T>(path: string, body?: unknown, options: RequestOptions = {}): Promise<T> {
    return this.send<T>('PUT', path, { ...options, body }).then(({ data }) => data);
  }

  patch<T>(path: string, body?: unknown): Promise<T> {
    return this.send<T>('PATCH', path, { body }).then(({ data }) => data);
  }

  delete<T>(path: string, query?: Query): Promise<T> {
    return this.send<T>('DELETE', path, { ...(query && { query }) }).then(({ data }) => data);
  }

  /** Bytes, as a blob that a browser takes for nothing but `type`, whatever the answer calls them. */
  async blob(path: string, type: string, signal?: AbortSignal): Promise<Blob> {
    const { response, content } = await this.ask('GET', path, { signal }, (answer) => answer.blob());
    if (response.ok) return new Blob([content], { type });
    throw this.failed(response, await content.text());
  }

  /** Rejects with {@link ApiError}, or with an AbortError when the signal was aborted. */
  async send<T>(method: string, path: string, options: RequestOptions = {}): Promise<Answer<T>> {
    const { response, content } = await this.ask(method, path, options, (answer) => answer.text());
    if (response.ok) return { data: parse(content) as T, etag: response.headers.get('etag') ?? undefined };
    throw this.failed(response, content);
  }

  private async ask<T>(
    method: string,
    path: string,
    options: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<{ readonly response: Response; readonly content: T }> {
    const { text, body } = options;
    const type = text?.type ?? (body === undefined ? undefined : 'application/json');
    const token = this.token();
    const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(options.signal ? [options.signal] : [])]);
    try {
      const response = await fetch(`${path}${queryOf(options.query)}`, {
        method,
        signal,
        cache: 'no-store',
        credentials: 'omit',
        headers: { accept: 'application/json', ...(token && { authorization: `Bearer ${token}` }), ...(type && { 'content-type': type }), ...options.headers },
        ...(text ? { body: text.content } : body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { response, content: await read(response) };
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      throw new ApiError(0, { code: 'NETWORK', detail: cause instanceof Error ? cause.message : String(cause) }, { cause });
    }
  }

  private failed(response: Response, content: string): ApiError {
    const data = parse(content);
    const error = new ApiError(response.status, isObject(data) ? (data as Problem) : { detail: content.slice(0, 500) });
    if (response.status === 401) this.onUnauthenticated(error);
    return error;
  }
}

function queryOf(query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`;
}

function parse(content: string): unknown {
  if (content === '') return undefined;
  try {
    return JSON.parse(content) as unknown;
  } catch {
    // An answer of something in between, or a text: the caller gets it as it is.
    return content;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
