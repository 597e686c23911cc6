import { createHash } from 'node:crypto';
import type { GuardedFetch } from '@plexus/service-kit';
import type { ChannelMessage, ChannelProvider, ChannelTarget, SendLimits, SendOutcome } from '../../application/channel-provider.js';
import type { Channels } from '../../application/channel-settings.js';
import { httpOutcome } from '../../domain/delivery/http-outcome.js';
import { discard } from './discard.js';
import { networkFault } from './network-fault.js';

const URGENCY = { P0: 'high', P1: 'high', P2: 'normal', P3: 'low' } as const;
const DAY_SECONDS = 86_400;
/** The padded record of a push message holds 4,096 bytes; browsers and their services take a little less. */
const MAX_PAYLOAD_BYTES = 3_000;

/** Web Push (RFC 8030, 8291, 8292). 404 and 410 say that the browser took its subscription back. */
export class WebPushProvider implements ChannelProvider {
  readonly channel = 'webpush';

  constructor(
    private readonly channels: Channels,
    private readonly http: Pick<GuardedFetch, 'fetch'>,
    private readonly now: () => number,
  ) {}

  endpointOf(_message: ChannelMessage, target: ChannelTarget | undefined): string {
    return URL.parse(target?.address ?? '')?.origin ?? '';
  }

  async send(message: ChannelMessage, target: ChannelTarget | undefined, { signal }: SendLimits): Promise<SendOutcome> {
    const settings = this.channels.settingsOf(message.tenant, 'webpush');
    if (settings === undefined) return { kind: 'unconfigured', error: 'not_configured' };
    const secret = this.channels.secret(message.tenant, settings.privateKey);
    if (!secret.ok) return { kind: 'retry', error: `push.channels.webpush.privateKey: ${secret.error}`, endpointFault: false };
    const keys = keysOf(target);
    if (target === undefined || keys === undefined || URL.parse(target.address) === null) return { kind: 'refused', error: 'bad_address' };
    const vapid = { subject: settings.subject, publicKey: settings.publicKey.replace(/=+$/, ''), privateKey: secret.value.replace(/=+$/, '') };
    const request = await this.#encrypted(message, { endpoint: target.address, keys }, vapid);
    if (typeof request === 'string') return { kind: 'refused', error: request };
    try {
      const response = await this.http.fetch(target.address, { method: 'POST', headers: request.headers, body: request.body, signal });
      await discard(response);
      return httpOutcome(response.status, response.headers.get('retry-after'), this.now(), [404, 410]);
    } catch (error) {
      if (signal.aborted) throw error;
      return networkFault(error);
    }
  }

  /** The library is loaded with the first message. Its errors quote keys, so only that there was one is passed on. */
  async #encrypted(
    message: ChannelMessage,
    subscription: { endpoint: string; keys: { p256dh: string; auth: string } },
    vapidDetails: { subject: string; publicKey: string; privateKey: string },
  ): Promise<{ headers: Record<string, string>; body: Uint8Array<ArrayBuffer> } | 'bad_keys'> {
    const { default: webPush } = await import('web-push');
    const left = message.expiresAt === undefined ? DAY_SECONDS : Math.ceil((message.expiresAt - this.now()) / 1_000);
    try {
      const { headers, body } = webPush.generateRequestDetails(subscription, payloadOf(message), {
        vapidDetails,
        contentEncoding: 'aes128gcm',
        TTL: Math.max(0, Math.min(DAY_SECONDS, left)),
        urgency: URGENCY[message.priority],
        // A repeat replaces what the push service still holds, instead of standing beside it.
        topic: createHash('sha256').update(message.id).digest('base64url').slice(0, 32),
      });
      const texts = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
      return { headers: texts, body: new Uint8Array(body ?? []) };
    } catch {
      return 'bad_keys';
    }
  }
}

function keysOf(target: ChannelTarget | undefined): { p256dh: string; auth: string } | undefined {
  const { p256dh, auth } = (target?.details.keys ?? target?.details ?? {}) as { p256dh?: unknown; auth?: unknown };
  return typeof p256dh === 'string' && typeof auth === 'string' ? { p256dh, auth } : undefined;
}

/** What a service worker shows. Lines are left out from the end until it fits. */
function payloadOf({ title, lines, data, purpose, priority, at }: ChannelMessage): string {
  const { deliveryId } = data as { deliveryId?: unknown };
  const fits = (shown: readonly string[]): string =>
    JSON.stringify({
      type: purpose,
      title,
      body: shown.join('\n'),
      priority,
      timestamp: at,
      ...(typeof deliveryId === 'string' && { deliveryId, tag: deliveryId }),
    });
  for (let count = lines.length; count > 0; count -= 1) {
    const text = fits(lines.slice(0, count));
    if (Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES) return text;
  }
  return fits([]);
}
