import { ChatEvent, GatewayClient, GatewayError, messageText, SCOPE, TERMINAL_DETAILS } from '@plexus/client-protocol';
import {
  type AccountConnection,
  type AccountPort,
  type ChannelAdapter,
  ChannelError,
  type DescribedError,
  FAILURE,
  type OutgoingPart,
} from '../kit/channel-adapter.js';
import { checkReachable } from '../kit/guarded-address.js';
import { AwaitedAnswers, answerOf } from './awaited-answers.js';
import { type UpstreamSettings, upstreamSettings } from './settings.js';
import { TurnLimit } from './turn-limit.js';

type Port = AccountPort<UpstreamSettings>;

const CONNECT_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 25_000;
/** The gateway knows us, but does not let us do this. */
const OF_RIGHTS = new Set(['UNAUTHENTICATED', 'UNAUTHORIZED', 'FORBIDDEN', 'MISSING_SCOPE']);

/** An existing OpenClaw gateway as a channel: its sessions are the chats, its agents' answers the messages. */
export const upstreamAdapter: ChannelAdapter<typeof upstreamSettings> = {
  adapter: 'upstream',
  settings: upstreamSettings,
  textLimit: 100_000,
  attachments: 'links',
  connect,
  describeError,
};

async function connect(port: Port): Promise<AccountConnection> {
  const { settings } = port;
  await checkReachable(settings.url, ['ws:', 'wss:'], port.privateHosts);
  let established = false;
  const client = new GatewayClient({
    url: settings.url,
    ...(settings.token !== undefined && { token: settings.token }),
    // Real gateways know a closed list of clients, and let only this kind keep its scopes without a paired device.
    client: { id: 'gateway-client', mode: 'backend', displayName: 'Plexus' },
    scopes: settings.deliver === 'inject' ? [SCOPE.admin] : [SCOPE.read, SCOPE.write],
    onState: (state, error) => {
      if (state === 'connected' && established) port.recovered();
      if (state === 'reconnecting' || state === 'degraded') port.degraded(error);
      if (state === 'refused' && established) port.lost(error);
    },
  });
  port.signal.addEventListener('abort', () => client.close(), { once: true });
  const answers = new AwaitedAnswers(port, client, new TurnLimit(settings.maxTurns));
  if (settings.follow === 'all') client.on('chat', (payload) => follow(port, answers, payload));
  try {
    await client.connect({ timeoutMs: CONNECT_TIMEOUT_MS });
    established = true;
    await answers.resume();
  } catch (error) {
    client.close();
    throw error;
  }
  return { send: (part) => send(port, client, answers, part), close: () => client.close() };
}

async function send(port: Port, client: GatewayClient, answers: AwaitedAnswers, part: OutgoingPart): Promise<{ messageId?: string }> {
  const { deliver, sessions } = port.settings;
  if (sessions !== undefined && !sessions.includes(part.to)) {
    throw new ChannelError({ message: `session ${JSON.stringify(part.to.slice(0, 128))} is not among those that are used`, code: FAILURE.target, status: 403 });
  }
  if (deliver === 'inject') {
    // The protocol has no key for it: after a lost answer the same text may be shown twice.
    await client.request('chat.inject', { sessionKey: part.to, message: part.text }, { timeoutMs: CALL_TIMEOUT_MS });
    return {};
  }
  const runId = part.idempotencyKey;
  const note = await answers.expect(runId, part.to, part.text);
  try {
    await client.request('chat.send', { sessionKey: part.to, message: part.text, idempotencyKey: runId }, { timeoutMs: CALL_TIMEOUT_MS, resend: true });
  } catch (error) {
    await answers.forget(runId);
    throw error;
  }
  answers.await(note);
  return { messageId: runId };
}

/** Answers to messages of others. What is said while the connection is away is not made up for. */
function follow(port: Port, answers: AwaitedAnswers, payload: unknown): void {
  const event = ChatEvent.safeParse(payload);
  if (!event.success || event.data.state !== 'final' || event.data.message === undefined || answers.has(event.data.runId)) return;
  const { sessionKey, runId, agentId, message } = event.data;
  if (port.settings.sessions !== undefined && !port.settings.sessions.includes(sessionKey)) return;
  const text = messageText(message);
  if (text.trim() === '') return;
  port.receive(answerOf(sessionKey, runId, text, port.clock.now(), agentId)).catch((error: unknown) => port.degraded(error));
}

function describeError(error: unknown): DescribedError | undefined {
  if (!(error instanceof GatewayError)) return undefined;
  const said = error.detailCode ?? error.code;
  const refused = TERMINAL_DETAILS.has(said);
  return {
    message: error.message,
    code: refused || OF_RIGHTS.has(said) ? FAILURE.auth : said,
    ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    refused,
  };
}
