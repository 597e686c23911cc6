import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ModelRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: {
    model: string;
    messages: { role: string; content: unknown }[];
    stream?: boolean;
    tools?: { function: { name: string; parameters: Record<string, unknown> } }[];
    temperature?: number;
    max_tokens?: number;
  };
}

export type Answer = (response: ServerResponse, request: ModelRequest) => void | Promise<void>;

/** An HTTP server that speaks the OpenAI streaming format and answers as a script says, the last answer for ever. */
export class FakeModel {
  readonly requests: ModelRequest[] = [];
  /** Requests that the other side closed before the answer was complete. */
  aborted = 0;

  private constructor(
    private readonly server: Server,
    private readonly script: Answer[],
  ) {
    server.on('request', (request, response) => void this.answer(request, response));
  }

  static async start(...script: Answer[]): Promise<FakeModel> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeModel(server, script);
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen: ModelRequest = {
      path: request.url ?? '',
      authorization: request.headers.authorization,
      body: JSON.parse(Buffer.concat(chunks).toString()) as ModelRequest['body'],
    };
    const answer = this.script[Math.min(this.requests.length, this.script.length - 1)] as Answer;
    this.requests.push(seen);
    response.on('close', () => {
      if (!response.writableFinished) this.aborted++;
    });
    response.on('error', () => undefined);
    await answer(response, seen);
  }
}

const event = (data: unknown): string => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

export function delta(content: string, extra: Record<string, unknown> = {}): string {
  return event({
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta: { content, ...extra }, finish_reason: null }],
  });
}

const finish = (reason: string): string =>
  event({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: {}, finish_reason: reason }] });
const usage = event({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [],
  usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
});

export function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}

/** A whole answer in pieces, with usage. */
export function says(pieces: readonly string[], pauseMs = 0, reason = 'stop'): Answer {
  return async (response) => {
    begin(response);
    for (const piece of pieces) {
      if (response.destroyed) return;
      if (!response.write(delta(piece))) await Promise.race([once(response, 'drain'), once(response, 'close')]);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    response.end(finish(reason) + usage + event('[DONE]'));
  };
}

/** An answer that has begun and does not end by itself: it says a word now and then until the other side closes. */
export function speaksOn(pauseMs = 5): Answer {
  return async (response) => {
    begin(response);
    for (let word = 0; !response.destroyed; word++) {
      if (!response.write(delta(`${word} `))) await Promise.race([once(response, 'drain'), once(response, 'close')]);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
}

/** An answer that says these words, and goes on when the test says so. */
export function pausesAfter(words: string, goesOn: Promise<unknown>, then: (response: ServerResponse) => void): Answer {
  return async (response) => {
    begin(response);
    response.write(delta(words));
    await goesOn;
    then(response);
  };
}

/** What ends an answer as it should. */
export const ends = (response: ServerResponse): void => void response.end(finish('stop') + usage + event('[DONE]'));

/** An answer that asks for tools: the arguments of each come in two pieces, as endpoints stream them. */
export function asks(...calls: readonly { readonly id: string; readonly name: string; readonly input: unknown; readonly words?: string }[]): Answer {
  return (response) => {
    begin(response);
    for (const [index, { id, name, input, words }] of calls.entries()) {
      const text = typeof input === 'string' ? input : JSON.stringify(input);
      const half = Math.ceil(text.length / 2);
      if (words !== undefined) response.write(delta(words));
      response.write(delta('', { content: null, tool_calls: [{ index, id, type: 'function', function: { name, arguments: text.slice(0, half) } }] }));
      response.write(delta('', { content: null, tool_calls: [{ index, function: { arguments: text.slice(half) } }] }));
    }
    response.end(finish('tool_calls') + usage + event('[DONE]'));
  };
}

export function refuses(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}
