import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  PermissionViolationError,
  type Status,
  type TlsOptions,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { plexusError } from '@plexus/contracts';
import { fullJitter } from '@plexus/kernel';
import type { BusCredentials, BusOptions } from './bus-options.js';
import { type BusLog, silentLog } from './bus-log.js';

/** What listens to the connection's ups and downs. */
export interface LinkListener {
  disconnected?(): void;
  reconnected?(): void;
  /** The connection is closed for good. */
  closed?(): void;
  /** The server refused a message to this subject. */
  publishDenied?(subject: string): void;
}

/** The connection, with one place that knows whether it is up. */
export class Link {
  private readonly listeners = new Set<LinkListener>();
  private connected = true;
  /** How often the connection was lost. */
  disconnects = 0;

  constructor(
    readonly connection: NatsConnection,
    readonly service: string,
    readonly log: BusLog,
    readonly inboxPrefix: string,
  ) {
    void this.followStatus();
    void connection.closed().then((error) => {
      this.connected = false;
      if (error) this.log.error({ err: error, service }, 'the connection to NATS is closed for good');
      for (const listener of [...this.listeners]) listener.closed?.();
    });
  }

  get isConnected(): boolean {
    return this.connected && !this.connection.isClosed();
  }

  /** Adds a listener; the returned function removes it. */
  listen(listener: LinkListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async followStatus(): Promise<void> {
    for await (const status of this.connection.status()) this.onStatus(status);
  }

  private onStatus(status: Status): void {
    switch (status.type) {
      case 'disconnect':
        this.connected = false;
        this.disconnects += 1;
        this.log.warn({ server: status.server, service: this.service }, 'disconnected from NATS');
        for (const listener of [...this.listeners]) listener.disconnected?.();
        return;
      case 'reconnect':
        this.connected = true;
        this.log.info({ server: status.server, service: this.service }, 'reconnected to NATS');
        for (const listener of [...this.listeners]) listener.reconnected?.();
        return;
      case 'error':
        this.log.error({ err: status.error, service: this.service }, 'NATS reports an error');
        if (status.error instanceof PermissionViolationError && status.error.operation === 'publish') {
          for (const listener of [...this.listeners]) listener.publishDenied?.(status.error.subject);
        }
        return;
      case 'staleConnection':
      case 'ldm':
      case 'forceReconnect':
        this.log.warn({ status: status.type, service: this.service }, 'the NATS connection changes');
        return;
      default:
    }
  }
}

function authenticatorFor(credentials: BusCredentials | undefined): Authenticator | undefined {
  if (credentials === undefined) return undefined;
  if ('user' in credentials) return usernamePasswordAuthenticator(credentials.user, credentials.pass);
  // The client finds the parts of a creds file by their last line ends.
  const bytes = (text: string) => new TextEncoder().encode('creds' in credentials ? `${text.trim()}\n` : text.trim());
  const asked = (text: string | (() => string)) => () => bytes(typeof text === 'function' ? text() : text);
  if ('creds' in credentials) return credsAuthenticator(asked(credentials.creds));
  return credentials.nkeySeed === undefined ? undefined : nkeyAuthenticator(asked(credentials.nkeySeed));
}

/** The client does not read `tls://` by itself: without this it would speak in the clear to a server that offers nothing else. */
function tlsFor({ tls }: BusOptions, servers: readonly string[]): TlsOptions | undefined {
  if (tls === undefined && !servers.some((server) => server.startsWith('tls://'))) return undefined;
  const { caFile, certFile, keyFile } = tls ?? {};
  return { ...(caFile !== undefined && { caFile }), ...(certFile !== undefined && { certFile }), ...(keyFile !== undefined && { keyFile }) };
}

/** Opens the connection, trying again with jitter until `connectTimeoutMs` is over. Fails with UNAVAILABLE. */
export async function openLink(options: BusOptions): Promise<Link> {
  const { service, log = silentLog, connectTimeoutMs = 30_000 } = options;
  const inboxPrefix = options.inboxPrefix ?? `_INBOX_${service}`;
  const authenticator = authenticatorFor(options.credentials);
  const servers = typeof options.servers === 'string' ? options.servers.split(',') : [...options.servers];
  const tls = tlsFor(options, servers);
  const giveUpAt = performance.now() + connectTimeoutMs;
  let connected = false;
  const reconnectDelayMs = (): number => {
    // Servers of a cluster that refuse us name each other: the client would go round them for ever. This is the one place where it can be stopped.
    if (!connected && performance.now() >= giveUpAt) throw new Error('the first connection took too long');
    return 100 + Math.random() * 900;
  };
  for (let attempt = 0; ; attempt += 1) {
    const remainingMs = giveUpAt - performance.now();
    try {
      const connection = await connect({
        servers,
        ...(tls && { tls }),
        name: service,
        inboxPrefix,
        ...(authenticator && { authenticator }),
        // Two Error objects per request otherwise, for a trace that nobody reads.
        noAsyncTraces: true,
        maxReconnectAttempts: -1,
        // A rotated credential or a server that restarts with another configuration must not end the process.
        ignoreAuthErrorAbort: true,
        reconnectDelayHandler: reconnectDelayMs,
        pingInterval: 20_000,
        maxPingOut: 2,
        timeout: Math.max(1_000, Math.min(5_000, remainingMs)),
      });
      connected = true;
      log.info({ server: connection.getServer(), service }, 'connected to NATS');
      return new Link(connection, service, log, inboxPrefix);
    } catch (error) {
      const waitMs = 50 + fullJitter(attempt, { baseMs: 100, capMs: 2_000 });
      if (performance.now() + waitMs >= giveUpAt) {
        throw plexusError('UNAVAILABLE', { message: 'The NATS server cannot be reached.', details: { service }, cause: error });
      }
      log.warn({ err: error, service, waitMs }, 'NATS cannot be reached yet');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
