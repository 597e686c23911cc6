import { parseJson, retry } from '@plexus/kernel';
import { z } from 'zod';
import { type AccountConnection, type AccountPort, type ChannelAdapter, ChannelError, type OutgoingPart } from '../kit/channel-adapter.js';
import { guardedUrl } from '../kit/guarded-address.js';
import type { HttpAnswer, HttpRequest } from '../kit/http-listener.js';
import { postJson } from '../kit/post-json.js';
import { signedHeaders, signingKey, verifySigned } from '../kit/standard-webhook.js';
import { IncomingMessage, outgoingBody, receivedMessage } from './messages.js';
import { type WebhookSettings, webhookSettings } from './settings.js';

const LIMITS = { maxBytes: 1_048_576, maxDepth: 16, maxKeys: 2_000 };
const RETRY = { baseMs: 200, capMs: 2_000 };
const Answer = z.object({ messageId: z.string().min(1).max(256) });

type Port = AccountPort<WebhookSettings>;

/** Signed HTTP both ways, in the format of standardwebhooks.com: for programs that have no chat platform of their own. */
export const webhookAdapter: ChannelAdapter<typeof webhookSettings> = {
  adapter: 'webhook',
  settings: webhookSettings,
  textLimit: 100_000,
  attachments: 'inline',
  concurrency: 8,
  callsPerSecond: 50,
  sendTimeoutMs: 120_000,
  connect: async (port) => {
    const { signingSecret, previousSigningSecret, url } = port.settings;
    const keys = [signingSecret, previousSigningSecret].filter((secret) => secret !== undefined).map(signingKey);
    if (url !== undefined) guardedUrl(url, ['http:', 'https:'], port.privateHosts);
    await port.route((request) => accept(port, keys, request));
    return { send: (part, signal) => post(port, keys, part, signal), close: () => {} };
  },
};

/** Answers 202 once the message is stored; everything that was refused says why, and nothing about the keys. */
async function accept(port: Port, keys: readonly Buffer[], request: HttpRequest): Promise<HttpAnswer> {
  const now = port.clock.now();
  const verdict = verifySigned(request.headers, request.body, keys, now);
  if (!verdict.ok) return { status: 401, body: { code: 'UNAUTHENTICATED', reason: verdict.reason } };
  const json = parseJson(request.body, LIMITS);
  if (!json.ok) return { status: 400, body: { code: 'INVALID_JSON' } };
  const message = IncomingMessage.safeParse(json.value);
  if (!message.success) {
    const issues = message.error.issues.slice(0, 10).map(({ path, message: what }) => ({ path: path.join('.'), message: what }));
    return { status: 400, body: { code: 'INVALID_REQUEST', issues } };
  }
  const received = receivedMessage(message.data, verdict.id, now);
  await port.receive(received);
  return { status: 202, body: { accepted: true, messageId: received.messageId } };
}

async function post(port: Port, keys: readonly Buffer[], part: OutgoingPart, signal: AbortSignal): ReturnType<AccountConnection['send']> {
  const { url, timeoutMs, attempts, headers } = port.settings;
  if (url === undefined) throw new ChannelError({ message: 'the account has no url to send to', code: 'NO_URL', status: 400 });
  const body = outgoingBody(port.account, part);
  const { body: answer } = await retry(
    () =>
      postJson({
        url,
        body,
        headers: { ...headers, ...signedHeaders(part.idempotencyKey, port.clock.now(), body, keys) },
        privateHosts: port.privateHosts,
        timeoutMs,
        signal,
      }),
    { attempts, ...RETRY, signal, clock: port.clock, isRetryable: mayRepeat },
  );
  return messageIdOf(answer);
}

/** The receiver recognises repeats by `webhook-id`, so whatever may pass is tried again; a pause that it asks for is routing's to keep. */
function mayRepeat(error: unknown): boolean {
  if (!(error instanceof ChannelError)) return true;
  const { status, retryAfterMs } = error.described;
  return status !== undefined && status >= 500 && retryAfterMs === undefined;
}

/** A receiver may name the message; it need not answer anything. */
function messageIdOf(answer: string): { messageId?: string } {
  const json = parseJson(answer, LIMITS);
  const named = Answer.safeParse(json.ok ? json.value : undefined);
  return named.success ? { messageId: named.data.messageId } : {};
}
