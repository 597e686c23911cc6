import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';

const MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * An OpenAI-compatible endpoint on loopback, the only one that OpenClaw knows. It puts in the model, the address and the key of the session
 * that asks, so that the key is never on disk, in an argument or in an environment variable, and can change while OpenClaw runs.
 */
export class ModelProxy {
  #server;
  #routes = new Map();
  /** By route, why its last request failed. */
  #problems = new Map();
  /** What OpenClaw has instead of a key; good for this proxy only, as long as it lives. */
  token = randomBytes(24).toString('base64url');

  static async start() {
    const proxy = new ModelProxy();
    proxy.#server = createServer((request, response) => {
      proxy.#answer(request, response).catch((error) => {
        if (response.headersSent) response.destroy();
        else refuse(response, 400, `The request cannot be read: ${error?.name}.`);
      });
    });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get baseUrl() {
    return `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  /** From now on the model named `id` is that one: `{base_url, api_key?, model, temperature?, max_tokens?}`. */
  route(id, target) {
    if (target) this.#routes.set(id, target);
    else this.#routes.delete(id);
    this.#problems.delete(id);
  }

  /** Why the endpoint of a route did not answer as wanted the last time; undefined when it did. */
  problem(id) {
    return this.#problems.get(id);
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request, response) {
    if (!same(request.headers.authorization ?? '', `Bearer ${this.token}`)) return refuse(response, 401, 'This endpoint is for OpenClaw on this machine.');
    if (request.method !== 'POST') return refuse(response, 404, 'Only POST is answered here.');
    const chunks = [];
    let size = 0;
    for await (const chunk of request) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) return refuse(response, 413, 'The request is too large.');
      chunks.push(chunk);
    }
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const target = this.#routes.get(body.model);
    if (!target) return refuse(response, 404, 'No session uses this model.');
    await this.#pass(target, body, request.url.replace(/^\/v1/, ''), response);
  }

  async #pass({ base_url, api_key, model, temperature, max_tokens }, body, path, response) {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    let answer;
    try {
      answer = await fetch(`${base_url.replace(/\/+$/, '')}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(api_key && { authorization: `Bearer ${api_key}` }) },
        body: JSON.stringify({ ...body, model, ...(temperature !== undefined && { temperature }), ...limit(body, max_tokens) }),
        signal: gone.signal,
      });
    } catch (error) {
      if (gone.signal.aborted) return;
      this.#problems.set(body.model, `${new URL(base_url).host} cannot be reached: ${error?.cause?.code ?? error?.name}`);
      refuse(response, 502, 'The endpoint of the model cannot be reached.');
      return;
    }
    if (answer.ok) this.#problems.delete(body.model);
    else this.#problems.set(body.model, `${new URL(base_url).host} answered with HTTP ${answer.status}`);
    const headers = {};
    for (const name of ['content-type', 'retry-after']) if (answer.headers.has(name)) headers[name] = answer.headers.get(name);
    response.writeHead(answer.status, headers);
    if (!answer.body) {
      response.end();
      return;
    }
    const stream = Readable.fromWeb(answer.body);
    stream.on('error', () => response.destroy());
    stream.pipe(response);
  }
}

/** The agent's own bound, under the name that the request already uses. */
function limit(body, max) {
  if (max === undefined) return {};
  return body.max_completion_tokens === undefined ? { max_tokens: max } : { max_completion_tokens: max };
}

function refuse(response, status, message) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message, type: 'plexus_bridge' } }));
}

function same(given, wanted) {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}
