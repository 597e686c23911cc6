import net from 'node:net';
import { type AllowHost, checkLiteral, guardedLookup } from '@plexus/service-kit';
import type { SendMailOptions, Transporter } from 'nodemailer';
import type SMTPTransport from 'nodemailer/lib/smtp-transport/index.js';
import type { ChannelMessage, ChannelProvider, ChannelTarget, SendLimits, SendOutcome } from '../../application/channel-provider.js';
import type { Channels, ChannelSettings } from '../../application/channel-settings.js';
import { mailOf } from '../../domain/delivery/mail.js';
import { smtpOutcome } from '../../domain/delivery/smtp-outcome.js';
import { networkFault } from './network-fault.js';

/** Mail over SMTP, one connection for each mail: what is configured now holds for the next one. */
export class EmailProvider implements ChannelProvider {
  readonly channel = 'email';

  constructor(
    private readonly channels: Channels,
    private readonly allows: AllowHost,
  ) {}

  endpointOf({ tenant }: ChannelMessage): string {
    const settings = this.channels.settingsOf(tenant, 'email');
    return settings === undefined ? '' : `${settings.host}:${portOf(settings)}`;
  }

  async send(message: ChannelMessage, target: ChannelTarget | undefined, limits: SendLimits): Promise<SendOutcome> {
    const settings = this.channels.settingsOf(message.tenant, 'email');
    if (settings === undefined) return { kind: 'unconfigured', error: 'not_configured' };
    const password = settings.password === undefined ? undefined : this.channels.secret(message.tenant, settings.password);
    if (password?.ok === false) return { kind: 'retry', error: `push.channels.email.password: ${password.error}`, endpointFault: false };
    if (target === undefined || !/^[^\s@<>,;"]+@[^\s@<>,;"]+$/.test(target.address)) return { kind: 'refused', error: 'bad_address' };
    const { createTransport } = await import('nodemailer');
    const transport = createTransport({
      ...this.#connection(settings, limits.timeoutMs),
      ...(settings.user !== undefined && { auth: { user: settings.user, pass: password?.value ?? '' } }),
    } as SMTPTransport.Options);
    return deliver(transport, { ...mailOf(message, settings, target.address), disableFileAccess: true, disableUrlAccess: true }, limits.signal);
  }

  #connection(settings: ChannelSettings<'email'>, timeoutMs: number): Record<string, unknown> {
    const { host, security = 'starttls' } = settings;
    const port = portOf(settings);
    return {
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      name: 'plexus',
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // Connected by us, so that the address which was checked is the one that is used.
      getSocket: (_options: unknown, done: (error: Error | null, opened?: { connection: net.Socket }) => void) => this.#connect(host, port, timeoutMs, done),
    };
  }

  #connect(host: string, port: number, timeoutMs: number, done: (error: Error | null, opened?: { connection: net.Socket }) => void): void {
    try {
      checkLiteral(host, this.allows);
    } catch (error) {
      done(error as Error);
      return;
    }
    const socket = net.connect({ host, port, lookup: guardedLookup(this.allows) });
    const finish = (error: Error | null): void => {
      socket.removeAllListeners();
      socket.setTimeout(0);
      if (error === null) {
        done(null, { connection: socket });
        return;
      }
      // Whatever it says from here on is of no interest: it was given up.
      socket.on('error', () => undefined).destroy();
      done(error);
    };
    socket.setTimeout(timeoutMs, () => finish(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })));
    socket.once('error', finish);
    socket.once('connect', () => finish(null));
  }
}

async function deliver(transport: Transporter, mail: SendMailOptions, signal: AbortSignal): Promise<SendOutcome> {
  const stop = (): void => transport.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await transport.sendMail(mail);
    return { kind: 'sent' };
  } catch (error) {
    if (signal.aborted) throw error;
    return smtpOutcome(error as { responseCode?: unknown; response?: unknown; code?: unknown; command?: unknown }) ?? networkFault(error);
  } finally {
    signal.removeEventListener('abort', stop);
    transport.close();
  }
}

function portOf({ port, security }: ChannelSettings<'email'>): number {
  return port ?? (security === 'tls' ? 465 : 587);
}
