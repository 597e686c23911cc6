import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { ProviderError } from '../../application/provider-port.js';

/** What is spoken here: Docker 20.10. An engine that has given it up is spoken to in the oldest version that it still knows. */
const VERSION = '1.41';
const TIMEOUT_MS = 8_000;
const MAX_BODY = 16 * 1_048_576;

export interface EngineCall {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  /** Statuses that are no error, beside 2xx and 304. */
  readonly accept?: readonly number[];
}

export interface EngineAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** The engine's clock at the time of the answer, in milliseconds. */
  readonly now: number;
  json<T>(): T;
}

/** The Engine API over its unix socket or TCP. Every call has a time limit; failures are {@link ProviderError}s with the engine's own words. */
export class DockerEngine {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 16 });

  /** `address`: unix:///path or tcp://host:port. */
  constructor(
    private readonly address: string,
    private readonly version = VERSION,
  ) {}

  /** An engine in a version that it understands. Rejects with UNAVAILABLE when it does not answer. */
  static async connect(address: string): Promise<DockerEngine> {
    const first = new DockerEngine(address, '');
    try {
      const { MinAPIVersion = VERSION } = (await first.call('/version')).json<{ MinAPIVersion?: string }>();
      return new DockerEngine(address, isNewer(MinAPIVersion, VERSION) ? MinAPIVersion : VERSION);
    } finally {
      first.close();
    }
  }

  async call(path: string, call: EngineCall = {}): Promise<EngineAnswer> {
    const response = await this.send(path, call);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_BODY) throw new ProviderError('UNAVAILABLE', `the engine's answer to ${path} is larger than ${MAX_BODY} bytes`);
        chunks.push(chunk);
      }
    } catch (cause) {
      throw cause instanceof ProviderError ? cause : new ProviderError('UNAVAILABLE', `the engine broke off its answer to ${path}`, { cause });
    }
    const body = Buffer.concat(chunks);
    const status = response.statusCode ?? 0;
    if (status >= 300 && status !== 304 && !(call.accept ?? []).includes(status)) throw refusal(path, status, body);
    const date = Date.parse(response.headers.date ?? '');
    return { status, body, now: Number.isNaN(date) ? Date.now() : date, json: <T>() => JSON.parse(body.toString('utf8')) as T };
  }

  /** The body as it comes, until `signal` or the engine ends it. */
  async stream(path: string, query: EngineCall['query'], signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.send(path, { ...(query && { query }) }, signal);
    if (response.statusCode !== 200) {
      response.destroy();
      throw refusal(path, response.statusCode ?? 0, Buffer.alloc(0));
    }
    return response;
  }

  /** Takes the connection over, for the stdin of a container. The caller ends it. */
  hijack(path: string, query: EngineCall['query']): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const outgoing = this.request(path, { method: 'POST', ...(query && { query }) }, { connection: 'Upgrade', upgrade: 'tcp' });
      outgoing.once('upgrade', (_response, socket) => resolve(socket));
      outgoing.once('response', (response) => {
        response.resume();
        reject(refusal(path, response.statusCode ?? 0, Buffer.from('it did not hand the connection over')));
      });
      outgoing.once('error', (cause) => reject(unreachable(this.address, cause)));
      outgoing.end();
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private send(path: string, call: EngineCall, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
      const headers: Record<string, string | number> = payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.length };
      const outgoing = this.request(path, call, headers, signal);
      outgoing.once('response', resolve);
      outgoing.once('error', (cause) => reject(unreachable(this.address, cause)));
      outgoing.end(payload);
    });
  }

  private request(path: string, call: EngineCall, headers: Record<string, string | number>, signal?: AbortSignal) {
    const query = new URLSearchParams(Object.entries(call.query ?? {}).map(([name, value]): [string, string] => [name, String(value)])).toString();
    const url = new URL(this.address.replace(/^tcp:/, 'http:'));
    const place: RequestOptions = url.protocol === 'unix:' ? { socketPath: url.pathname } : { hostname: url.hostname, port: url.port };
    // An endless stream may be silent for ever; whoever reads it ends it.
    const timeout = signal === undefined ? { timeout: call.timeoutMs ?? TIMEOUT_MS } : { signal };
    const upgrades = headers.upgrade !== undefined || signal !== undefined;
    const outgoing = request({
      ...place,
      ...timeout,
      agent: upgrades ? false : this.agent,
      method: call.method ?? 'GET',
      path: `${this.version === '' ? '' : `/v${this.version}`}${path}${query === '' ? '' : `?${query}`}`,
      headers: { host: url.hostname || 'docker', ...headers },
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${call.timeoutMs ?? TIMEOUT_MS} ms`)));
    return outgoing;
  }
}

function isNewer(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major > otherMajor || (major === otherMajor && minor > otherMinor);
}

function unreachable(address: string, cause: Error): ProviderError {
  return new ProviderError('UNAVAILABLE', `the Docker engine at ${address} cannot be reached: ${cause.message}`, { cause });
}

function refusal(path: string, status: number, body: Buffer): ProviderError {
  let said = body.toString('utf8').slice(0, 500);
  try {
    said = (JSON.parse(said) as { message?: string }).message ?? said;
  } catch {
    // Not JSON: its words as they are.
  }
  const code = status === 400 ? 'INVALID_SPEC' : status === 429 || status >= 502 ? 'UNAVAILABLE' : 'START_FAILED';
  return new ProviderError(code, `the Docker engine answered ${status} to ${path.replace(/[0-9a-f]{64}/, '…')}: ${said}`);
}
