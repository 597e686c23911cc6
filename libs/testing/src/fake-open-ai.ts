import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** One answer of the stand-in. */
export type FakeAnswer =
  /** Streams the pieces as deltas (or sends them joined when the caller did not ask for a stream). */
  | {
      readonly kind: 'text';
      readonly pieces: readonly string[];
      readonly pauseMs?: number;
      readonly usage?: { readonly input: number; readonly output: number };
    }
  | { readonly kind: 'tools'; readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[] }
  | { readonly kind: 'error'; readonly status: number; readonly message?: string; readonly retryAfterSeconds?: number }
  /** Accepts the request and never answers. */
  | { readonly kind: 'hang' }
  /** Streams the pieces and cuts the connection without an end. */
  | { readonly kind: 'cut'; readonly pieces: readonly string[] };

export interface FakeRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What to answer: a list, whose last entry repeats, or a function of the request. */
export type FakeScript = readonly FakeAnswer[] | ((request: FakeRequest, index: number) => FakeAnswer);

export interface FakeOpenAi {
  /** `http://127.0.0.1:<port>/v1`, for `PLEXUS_MODEL_BASE_URL`. */
  readonly baseUrl: string;
  /** Every chat completion that was asked for, in order. */
  readonly requests: readonly FakeRequest[];
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** An OpenAI-compatible server (`POST /v1/chat/completions`, `GET /v1/models`) that answers as the script says. */
export async function startFakeOpenAi(script: FakeScript = [{ kind: 'text', pieces: ['Hello', ' there.'] }]): Promise<FakeOpenAi> {
  const requests: FakeRequest[] = [];
  const end = new AbortController();
  const decide = (request: FakeRequest, index: number): FakeAnswer => {
    if (typeof script === 'function') return script(request, index);
    return script[Math.min(index, script.length - 1)] ?? { kind: 'error', status: 500, message: 'the script is empty' };
  };
  const server = createServer((request, response) => {
    void (async () => {
      if (request.method === 'GET' && request.url === '/v1/models') return sendJson(response, 200, { object: 'list', data: [{ id: 'fake', object: 'model' }] });
      if (request.method !== 'POST' || request.url !== '/v1/chat/completions') return sendError(response, 404, `no ${request.method} ${request.url} here`);
      const read = await readRequest(request);
      if (typeof read === 'string') return sendError(response, 400, read);
      requests.push(read);
      await answer(response, read, decide(read, requests.length - 1), end.signal);
    })().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    stop: async () => {
      end.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readRequest(request: IncomingMessage): Promise<FakeRequest | string> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) {
    text += piece;
    if (text.length > MAX_BODY_BYTES) return 'the body is too large';
  }
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    if (!Array.isArray(body.messages) || typeof body.model !== 'string') return 'model and messages are required';
    return { model: body.model, stream: body.stream === true, messages: body.messages, authorization: request.headers.authorization, body };
  } catch {
    return 'the body is not JSON';
  }
}

async function answer(response: ServerResponse, request: FakeRequest, reply: FakeAnswer, end: AbortSignal): Promise<void> {
  switch (reply.kind) {
    case 'hang':
      return;
    case 'error': {
      if (reply.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(reply.retryAfterSeconds));
      return sendError(response, reply.status, reply.message ?? `scripted ${reply.status}`);
    }
    case 'cut':
      for (const delta of ['', ...reply.pieces]) sendChunk(response, request, delta === '' ? { role: 'assistant' } : { content: delta }, null);
      await sleep(20, undefined, { signal: end }); // lets the pieces leave before the cut
      response.destroy();
      return;
    case 'tools': {
      const calls = reply.calls.map((call, index) => ({ index, id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }));
      if (!request.stream)
        return sendCompletion(response, request, { role: 'assistant', content: null, tool_calls: calls }, 'tool_calls', { input: 10, output: 5 });
      sendChunk(response, request, { role: 'assistant', content: null, tool_calls: calls }, null);
      return finish(response, request, 'tool_calls', { input: 10, output: 5 });
    }
    case 'text': {
      const usage = reply.usage ?? { input: 10, output: reply.pieces.length };
      if (!request.stream) return sendCompletion(response, request, { role: 'assistant', content: reply.pieces.join('') }, 'stop', usage);
      sendChunk(response, request, { role: 'assistant', content: '' }, null);
      for (const content of reply.pieces) {
        if (reply.pauseMs !== undefined) await sleep(reply.pauseMs, undefined, { signal: end });
        sendChunk(response, request, { content }, null);
      }
      return finish(response, request, 'stop', usage);
    }
  }
}

interface Usage {
  readonly input: number;
  readonly output: number;
}

const tokens = ({ input, output }: Usage) => ({ prompt_tokens: input, completion_tokens: output, total_tokens: input + output });
const head = (request: FakeRequest, object: string) => ({ id: 'chatcmpl-fake', object, created: 1_700_000_000, model: request.model });

function sendChunk(response: ServerResponse, request: FakeRequest, delta: object, finishReason: string | null): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(`data: ${JSON.stringify({ ...head(request, 'chat.completion.chunk'), choices: [{ index: 0, delta, finish_reason: finishReason }] })}\n\n`);
}

function finish(response: ServerResponse, request: FakeRequest, reason: string, usage: Usage): void {
  sendChunk(response, request, {}, reason);
  const wanted = (request.body.stream_options as { include_usage?: boolean } | undefined)?.include_usage === true;
  if (wanted) response.write(`data: ${JSON.stringify({ ...head(request, 'chat.completion.chunk'), choices: [], usage: tokens(usage) })}\n\n`);
  response.end('data: [DONE]\n\n');
}

function sendCompletion(response: ServerResponse, request: FakeRequest, message: object, reason: string, usage: Usage): void {
  sendJson(response, 200, { ...head(request, 'chat.completion'), choices: [{ index: 0, message, finish_reason: reason }], usage: tokens(usage) });
}

function sendError(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, { error: { message, type: status === 429 ? 'rate_limit_error' : 'server_error', code: null } });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
