import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ScriptedModel {
  /** For `PLEXUS_MODEL_BASE_URL`. */
  readonly baseUrl: string;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 4 * 1024 * 1024;
const PIECES = 4;
const PAUSE_MS = 60;

/**
 * An OpenAI-compatible endpoint that repeats what it is told last, streamed in a few pieces with pauses, so that answers are in flight when something
 * breaks, and every answer names the message that it belongs to.
 */
export async function startScriptedModel(): Promise<ScriptedModel> {
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (text.length > MAX_BODY_BYTES) request.destroy();
    });
    request.on('end', () => void answer(response, text).catch(() => response.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(response: ServerResponse, text: string): Promise<void> {
  const { messages = [], stream } = JSON.parse(text) as { messages?: { role: string; content: unknown }[]; stream?: boolean };
  const last = messages.filter(({ role }) => role === 'user').at(-1)?.content;
  const words = `You said: ${typeof last === 'string' ? last : JSON.stringify(last)}`;
  const head = { id: 'chatcmpl-scripted', created: 1_700_000_000, model: 'scripted' };
  if (stream !== true) {
    const message = { role: 'assistant', content: words };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: 'stop' }] }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (delta: object, reason: string | null): void => {
    const choices = [{ index: 0, delta, finish_reason: reason }];
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices })}\n\n`);
  };
  const size = Math.max(1, Math.ceil(words.length / PIECES));
  for (let at = 0; at < words.length; at += size) {
    send({ ...(at === 0 && { role: 'assistant' }), content: words.slice(at, at + size) }, null);
    await sleep(PAUSE_MS);
  }
  send({}, 'stop');
  response.end('data: [DONE]\n\n');
}
