import { parseJson } from '@plexus/kernel';
import { WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError, WebAPIRequestError, WebClient, type WebClientOptions } from '@slack/web-api';
import type { AccountConnection, AccountPort, ChannelAdapter, DescribedError, OutgoingPart } from '../kit/channel-adapter.js';
import { checkReachable } from '../kit/guarded-address.js';
import type { HttpAnswer, HttpRequest } from '../kit/http-listener.js';
import { EventPayload, escapeSlack, receivedMessage, type Self } from './event.js';
import { quietLogger } from './quiet-logger.js';
import { isSignedBySlack } from './request-signature.js';
import { DEFAULT_API_URL, type SlackSettings, slackSettings } from './settings.js';
import { keepSocket } from './socket.js';

type Port = AccountPort<SlackSettings>;

const CALL_TIMEOUT_MS = 20_000;
/** Answers of Slack after which only a person can help. */
const REFUSALS = new Set(['invalid_auth', 'not_authed', 'account_inactive', 'token_revoked', 'token_expired', 'not_allowed_token_type', 'no_permission']);

/** Slack apps over Bolt's Socket Mode receiver or the Events API: direct messages, channels, threads. */
export const slackAdapter: ChannelAdapter<typeof slackSettings> = {
  adapter: 'slack',
  settings: slackSettings,
  // Slack cuts at 40,000 but asks for at most 4,000.
  textLimit: 4_000,
  attachments: 'links',
  concurrency: 4,
  callsPerSecond: 10,
  connect,
  describeError,
};

async function connect(port: Port): Promise<AccountConnection> {
  const { settings } = port;
  if (settings.apiUrl !== DEFAULT_API_URL) await checkReachable(settings.apiUrl, ['http:', 'https:'], port.privateHosts);
  // Retries, pauses and failover are decided by routing: one call here is one call there.
  const options: WebClientOptions = {
    slackApiUrl: settings.apiUrl.endsWith('/') ? settings.apiUrl : `${settings.apiUrl}/`,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: CALL_TIMEOUT_MS,
    logger: quietLogger(port.log),
  };
  const client = new WebClient(settings.botToken, options);
  const { user_id: userId } = await client.auth.test();
  const self: Self = { userId: String(userId) };
  const close =
    settings.mode === 'http'
      ? await listen(port, self)
      : await keepSocket(port, {
          clientOptions: options,
          receive: (body) => receive(port, self, body),
          isRefusal: (error) => describeError(error)?.refused === true,
        });
  return { send: (part) => send(client, part, settings.unfurlLinks), close };
}

/** Events API: Slack calls us and repeats what is not answered with 200. */
async function listen(port: Port, self: Self): Promise<() => void> {
  await port.route(async (request: HttpRequest): Promise<HttpAnswer> => {
    if (!isSignedBySlack(request.headers, request.body, port.settings.signingSecret as string, port.clock.now())) {
      return { status: 401, body: { code: 'UNAUTHENTICATED' } };
    }
    const json = parseJson(request.body, { maxDepth: 64 });
    if (!json.ok) return { status: 400, body: { code: 'INVALID_JSON' } };
    const { type, challenge } = (json.value ?? {}) as { readonly type?: unknown; readonly challenge?: unknown };
    if (type === 'url_verification' && typeof challenge === 'string') return { status: 200, body: challenge };
    await receive(port, self, json.value);
    return { status: 200 };
  });
  return () => {};
}

async function receive(port: Port, self: Self, body: unknown): Promise<void> {
  const payload = EventPayload.safeParse(body);
  // Other kinds of events (reactions, joins, commands) are not messages.
  const message = payload.success ? receivedMessage(payload.data, self) : undefined;
  if (message !== undefined) await port.receive(message);
}

async function send(client: WebClient, part: OutgoingPart, unfurl: boolean): Promise<{ messageId?: string }> {
  const thread = part.threadId ?? part.replyToId;
  const { ts } = await client.chat.postMessage({
    channel: part.to,
    text: escapeSlack(part.text),
    unfurl_links: unfurl,
    unfurl_media: unfurl,
    ...(thread !== undefined && { thread_ts: thread }),
  });
  return ts === undefined ? {} : { messageId: ts };
}

function describeError(error: unknown): DescribedError | undefined {
  if (error instanceof WebAPIPlatformError) {
    const { error: code } = error.data;
    return { message: `Slack says ${code}`, code, refused: REFUSALS.has(code) };
  }
  if (error instanceof WebAPIRateLimitedError) {
    return { message: 'Slack asks for a pause', code: 'ratelimited', status: 429, retryAfterMs: error.retryAfter * 1_000 };
  }
  if (error instanceof WebAPIHTTPError) return { message: `Slack answers HTTP ${error.statusCode}`, code: String(error.statusCode), status: error.statusCode };
  if (error instanceof WebAPIRequestError) return { message: error.message, code: networkCode(error.original) };
  return undefined;
}

function networkCode(error: Error): string {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'ETIMEDOUT';
  const { code, cause } = error as Error & { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
  return typeof code === 'string' ? code : typeof cause?.code === 'string' ? cause.code : 'NETWORK';
}
