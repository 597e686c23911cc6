import { createHash } from 'node:crypto';
import { fullJitter, parseJson } from '@plexus/kernel';
import { Api, GrammyError, HttpError } from 'grammy';
import { type AccountConnection, type AccountPort, type ChannelAdapter, type DescribedError, FAILURE } from '../kit/channel-adapter.js';
import { checkReachable } from '../kit/guarded-address.js';
import { sameBytes } from '../kit/standard-webhook.js';
import { sendPart } from './send-part.js';
import { DEFAULT_API_ROOT, type TelegramSettings, telegramSettings } from './settings.js';
import { ALLOWED_UPDATES, type Bot, receivedMessage, Update } from './update.js';

type Port = AccountPort<TelegramSettings>;

const POLL_BACKOFF = { baseMs: 500, capMs: 30_000 };
const CONFIRM_TIMEOUT_MS = 2_000;

/** Telegram bots over the Bot API: long polling or webhook in, private chats, groups and forum topics. */
export const telegramAdapter: ChannelAdapter<typeof telegramSettings> = {
  adapter: 'telegram',
  settings: telegramSettings,
  textLimit: 4_096,
  attachments: 'separate',
  sharedGroups: true,
  concurrency: 4,
  // Telegram allows about 30 a second per bot.
  callsPerSecond: 25,
  connect,
  describeError,
};

async function connect(port: Port): Promise<AccountConnection> {
  const { settings, signal } = port;
  if (settings.apiRoot !== DEFAULT_API_ROOT) await checkReachable(settings.apiRoot, ['http:', 'https:'], port.privateHosts);
  const apiRoot = settings.apiRoot.replace(/\/+$/, '');
  const api = new Api(settings.botToken, { apiRoot, timeoutSeconds: settings.pollTimeoutSeconds + 10 });
  const bot = await api.getMe(signal as never);
  let polling: Promise<void> | undefined;
  if (settings.mode === 'webhook') {
    await port.route(async ({ headers, body }) => acceptCall(port, bot, headers['x-telegram-bot-api-secret-token'], body));
    await api.setWebhook(settings.publicUrl as string, { secret_token: settings.webhookSecret as string, allowed_updates: ALLOWED_UPDATES }, signal as never);
  } else {
    // Telegram refuses to be asked while it knows a webhook.
    await api.deleteWebhook({ drop_pending_updates: false }, signal as never);
    polling = poll(port, api, bot);
  }
  return {
    send: (part, sendSignal) => sendPart(api, part, settings.linkPreviews, sendSignal),
    close: () => polling,
  };
}

/** Asks for updates until the account stops. An update counts as received by Telegram only with the next request, after it was stored. */
async function poll(port: Port, api: Api, bot: Bot): Promise<void> {
  const { signal, clock, settings } = port;
  let offset = 0;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const updates = await api.getUpdates({ offset, timeout: settings.pollTimeoutSeconds, allowed_updates: ALLOWED_UPDATES }, signal as never);
      for (const update of updates) {
        await receive(port, bot, update);
        offset = update.update_id + 1;
      }
      if (failures > 0) port.recovered();
      failures = 0;
    } catch (error) {
      if (signal.aborted) break;
      const described = describeError(error);
      if (described?.refused === true) {
        port.lost(error);
        break;
      }
      port.degraded(error);
      const pauseMs = Math.max(described?.retryAfterMs ?? 0, 200, fullJitter(failures, POLL_BACKOFF));
      failures += 1;
      await clock.sleep(pauseMs, signal).catch(() => {}); // stopped: the loop ends
    }
  }
  if (offset > 0) await confirm(port, api, offset);
}

/** So that the next process is not handed what is stored already; without it the repeats are recognised by their ids. */
async function confirm(port: Port, api: Api, offset: number): Promise<void> {
  try {
    await api.getUpdates({ offset, limit: 1, timeout: 0 }, AbortSignal.timeout(CONFIRM_TIMEOUT_MS) as never);
  } catch (error) {
    port.log.debug({ reason: describeError(error)?.message }, 'the last updates could not be confirmed; they come again');
  }
}

async function receive(port: Port, bot: Bot, update: unknown): Promise<void> {
  const parsed = Update.safeParse(update);
  if (!parsed.success) {
    port.log.warn({ issues: parsed.error.issues.slice(0, 3) }, 'an update has an unknown form and is left out');
    return;
  }
  const message = receivedMessage(parsed.data, bot);
  if (message !== undefined) await port.receive(message);
}

async function acceptCall(port: Port, bot: Bot, presented: string | string[] | undefined, body: Buffer): Promise<{ status: number; body?: unknown }> {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  if (typeof presented !== 'string' || !sameBytes(digest(presented), digest(port.settings.webhookSecret as string))) {
    return { status: 401, body: { code: 'UNAUTHENTICATED' } };
  }
  const json = parseJson(body, { maxDepth: 32 });
  if (!json.ok) return { status: 400, body: { code: 'INVALID_JSON' } };
  await receive(port, bot, json.value);
  return { status: 200 };
}

/** Of what the Bot API forbids, all is about the chat (blocked, kicked, deactivated, never started); 401 and 404 are what it says to a wrong token. */
function codeOf(status: number): string {
  if (status === 403) return FAILURE.target;
  return status === 401 || status === 404 ? FAILURE.auth : String(status);
}

/** The client's errors; its texts never hold the token, those of its network library do. */
function describeError(error: unknown): DescribedError | undefined {
  if (error instanceof GrammyError) {
    const { error_code: status, description, parameters, method } = error;
    return {
      message: description,
      code: codeOf(status),
      status,
      ...(parameters.retry_after !== undefined && { retryAfterMs: parameters.retry_after * 1_000 }),
      refused: status === 401 || (status === 404 && method === 'getMe'),
    };
  }
  if (error instanceof HttpError) {
    const { code, name } = (error.error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
    const what = typeof code === 'string' ? code : name === 'AbortError' ? 'ETIMEDOUT' : 'NETWORK';
    return { message: `${error.message} (${what})`, code: what };
  }
  return undefined;
}
