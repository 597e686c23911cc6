import { type Clock, PlexusError, ulid, withTimeout } from '@plexus/kernel';
import type { ChannelProvider, CodeSender, SendOutcome } from './channel-provider.js';
import { type Channels, limitsOf } from './channel-settings.js';

/** Sends the code that proves a contact: once, while its owner waits. Whoever calls limits how often. */
export class SendContactCode implements CodeSender {
  constructor(
    private readonly set: { readonly channels: Channels; readonly providers: readonly ChannelProvider[] },
    private readonly clock: Clock,
  ) {}

  async sendCode({ tenant, user, channel, target, code, expiresAt }: Parameters<CodeSender['sendCode']>[0]): Promise<SendOutcome> {
    const provider = this.set.providers.find((one) => one.channel === channel);
    if (provider === undefined) return { kind: 'unconfigured', error: 'not_configured' };
    const { timeoutMs } = limitsOf(this.set.channels, tenant, channel);
    const at = this.clock.now();
    const message = {
      tenant,
      user,
      id: `code_${ulid(at)}`,
      purpose: 'code' as const,
      priority: 'P1' as const,
      title: `Your code is ${code}`,
      lines: ['Enter it to receive notifications here. If you did not ask for it, ignore this message.'],
      data: { code, expiresAt: new Date(expiresAt).toISOString() },
      at,
      expiresAt,
    };
    try {
      return await withTimeout((signal) => provider.send(message, target, { timeoutMs, signal }), timeoutMs, { clock: this.clock });
    } catch (error) {
      if (PlexusError.isPlexusError(error) && error.code === 'TIMEOUT') return { kind: 'retry', error: 'timeout', endpointFault: true };
      throw error;
    }
  }
}
