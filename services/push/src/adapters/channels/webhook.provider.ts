import type { GuardedFetch } from '@plexus/service-kit';
import type { ChannelMessage, ChannelProvider, ChannelTarget, SendLimits, SendOutcome } from '../../application/channel-provider.js';
import type { Channels } from '../../application/channel-settings.js';
import { httpOutcome } from '../../domain/delivery/http-outcome.js';
import { signedHeaders } from '../../domain/delivery/standard-webhook.js';
import { discard } from './discard.js';
import { networkFault } from './network-fault.js';

/**
 * A signed POST (Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`) of `{type, timestamp, data}`. The id is the same at
 * every repeat. No redirect is followed, and no address is reached that the operator does not allow.
 */
export class WebhookProvider implements ChannelProvider {
  readonly channel = 'webhook';

  constructor(
    private readonly channels: Channels,
    private readonly http: Pick<GuardedFetch, 'fetch'>,
    private readonly now: () => number,
  ) {}

  endpointOf(_message: ChannelMessage, target: ChannelTarget | undefined): string {
    return URL.parse(target?.address ?? '')?.origin ?? '';
  }

  async send(message: ChannelMessage, target: ChannelTarget | undefined, { signal }: SendLimits): Promise<SendOutcome> {
    const settings = this.channels.settingsOf(message.tenant, 'webhook');
    if (settings?.signingSecret === undefined) return { kind: 'unconfigured', error: 'not_configured' };
    const secret = this.channels.secret(message.tenant, settings.signingSecret);
    if (!secret.ok) return { kind: 'retry', error: `push.channels.webhook.signingSecret: ${secret.error}`, endpointFault: false };
    const url = URL.parse(target?.address ?? '');
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return { kind: 'refused', error: 'bad_address' };
    const body = JSON.stringify({
      type: message.purpose === 'code' ? 'push.contact-code' : 'push.delivery',
      timestamp: new Date(message.at).toISOString(),
      data: { user: message.user, title: message.title, ...message.data },
    });
    const headers = { 'content-type': 'application/json', 'user-agent': 'plexus-push', ...signedHeaders(message.id, this.now(), body, secret.value) };
    try {
      const response = await this.http.fetch(url, { method: 'POST', headers, body, signal });
      await discard(response);
      return httpOutcome(response.status, response.headers.get('retry-after'), this.now(), [410]);
    } catch (error) {
      if (signal.aborted) throw error;
      return networkFault(error);
    }
  }
}
