import { fullJitter } from '@plexus/kernel';
import type { AccountPort } from '../kit/channel-adapter.js';
import { Latch } from '../kit/latch.js';
import { SocketModeReceiver } from '@slack/bolt';
import type { WebClientOptions } from '@slack/web-api';
import { quietLogger } from './quiet-logger.js';
import type { SlackSettings } from './settings.js';

type Port = AccountPort<SlackSettings>;

export interface SocketOptions {
  readonly clientOptions: WebClientOptions;
  /** Stores what an envelope holds; the envelope is acknowledged when it has resolved. */
  readonly receive: (body: unknown) => Promise<void>;
  /** True for an error after which opening again is of no use. */
  readonly isRefusal: (error: unknown) => boolean;
}

interface OpenSocket {
  readonly closed: Promise<unknown>;
  close(): Promise<void>;
}

const BACKOFF = { baseMs: 500, capMs: 30_000 };

/**
 * Socket Mode of one account. Slack closes sockets now and then as a matter of course: the next one is opened here, while sends, which do not
 * need it, go on. Resolves when the first is open; rejects when it cannot be opened. Returns what closes it for good.
 */
export async function keepSocket(port: Port, options: SocketOptions): Promise<() => Promise<void>> {
  const first = await openSocket(port, options);
  const running = keepOpen(port, options, first);
  return () => running;
}

async function keepOpen(port: Port, options: SocketOptions, first: OpenSocket): Promise<void> {
  const { signal, clock } = port;
  let socket: OpenSocket | undefined = first;
  for (let failures = 0; !signal.aborted; ) {
    if (socket !== undefined) {
      const reason = await socket.closed;
      socket = undefined;
      if (signal.aborted) return;
      port.log.debug({ reason: String(reason) }, 'Slack closed the socket');
    }
    await clock.sleep(fullJitter(failures, BACKOFF), signal).catch(() => {}); // stopped: the loop ends
    if (signal.aborted) return;
    try {
      socket = await openSocket(port, options);
      failures = 0;
      port.recovered();
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      if (options.isRefusal(error)) return port.lost(error);
      port.degraded(error);
    }
  }
}

async function openSocket(port: Port, { clientOptions, receive }: SocketOptions): Promise<OpenSocket> {
  const receiver = new SocketModeReceiver({
    appToken: port.settings.appToken as string,
    logger: quietLogger(port.log),
    autoReconnectEnabled: false,
    installerOptions: { clientOptions: { ...clientOptions } },
    processEventErrorHandler: async () => false,
  });
  // Bolt's App would acknowledge before anything is stored; the receiver alone leaves that to us.
  receiver.init({ processEvent: (event: { body: unknown; ack: () => Promise<void> }) => accept(port, receive, event) } as never);
  const closed = new Latch<unknown>();
  receiver.client.on('disconnected', (error?: unknown) => closed.open(error ?? new Error('Slack closed the socket')));
  const close = async (): Promise<void> => {
    closed.open(new Error('stopped'));
    await receiver.stop();
  };
  // Also while it is still opening, when nobody holds it yet.
  const onAbort = (): void => void close().catch((error: unknown) => port.log.debug({ reason: String(error) }, 'the socket was closed already'));
  port.signal.addEventListener('abort', onAbort, { once: true });
  void closed.promise.then(() => port.signal.removeEventListener('abort', onAbort));
  try {
    await receiver.start();
  } catch (error) {
    await close();
    throw error ?? new Error('Slack closed the socket while it opened');
  }
  return { closed: closed.promise, close };
}

async function accept(port: Port, receive: SocketOptions['receive'], { body, ack }: { body: unknown; ack: () => Promise<void> }): Promise<void> {
  try {
    await receive(body);
    await ack();
    port.recovered();
  } catch (error) {
    // Without the acknowledgement Slack repeats it.
    if (!port.signal.aborted) port.degraded(error);
  }
}
