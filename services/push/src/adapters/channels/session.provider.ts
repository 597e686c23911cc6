import type { Bus } from '@plexus/bus';
import { type Principal, routingContracts as routing } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { ChannelSettings } from '../../application/channel-settings.js';
import type { ChannelMessage, ChannelProvider, ChannelTarget, SendLimits, SendOutcome } from '../../application/channel-provider.js';

/** Codes that say something about this message or user, not about routing. */
const FINAL = new Set(['INVALID_REQUEST', 'FORBIDDEN', 'MISSING_SCOPE', 'QUOTA_EXCEEDED', 'PAYLOAD_TOO_LARGE', 'UNKNOWN_AGENT', 'UNKNOWN_TENANT']);

/**
 * A message in the user's own conversation: every client of the gateway protocol shows it, also those that know no inbox. Routing takes the
 * idempotency key, so that a repeat shows nothing twice. A user who never talked to an agent gets the conversation.
 */
export class SessionProvider implements ChannelProvider {
  readonly channel = 'session';

  constructor(
    private readonly bus: Pick<Bus, 'call'>,
    private readonly principalOf: (tenant: string, user: string) => Principal,
    private readonly settingsOf: (tenant: string) => ChannelSettings<'session'> | undefined,
  ) {}

  endpointOf(_message: ChannelMessage, _target: ChannelTarget | undefined): string {
    return 'routing';
  }

  async send(message: ChannelMessage, _target: ChannelTarget | undefined, { timeoutMs, signal }: SendLimits): Promise<SendOutcome> {
    const { tenant, user, id } = message;
    if (this.settingsOf(tenant)?.enabled === false) return { kind: 'unconfigured', error: 'not_configured' };
    const options = { principal: this.principalOf(tenant, user), timeoutMs, signal };
    const text = [message.title, ...message.lines].join('\n');
    try {
      const { sessionKey } = await this.bus.call(routing.sessionForUser, tenant, {}, options);
      const inject = () =>
        this.bus.call(routing.injectMessage, tenant, { sessionKey, message: text, label: 'notification', idempotencyKey: `push:${id}` }, options);
      try {
        await inject();
      } catch (error) {
        if (codeOf(error) !== 'SESSION_NOT_FOUND') throw error;
        await this.bus.call(routing.createSession, tenant, { sessionKey }, options);
        await inject();
      }
      return { kind: 'sent' };
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      // The words of a repeat differ when the item was edited meanwhile: what it says was said.
      if (code === 'CONFLICT') return { kind: 'sent' };
      return FINAL.has(code) ? { kind: 'refused', error: code.toLowerCase() } : { kind: 'retry', error: code.toLowerCase(), endpointFault: true };
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return PlexusError.isPlexusError(error) ? error.code : undefined;
}
