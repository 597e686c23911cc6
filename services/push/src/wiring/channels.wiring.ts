import { readFileSync } from 'node:fs';
import { allowedHosts, guardedFetch, requireStrongSecret, sealingKeys, tenantSecret, type TenantSecretSources } from '@plexus/service-kit';
import { ConfigurationError } from '@plexus/kernel';
import type { PushChannelsConfig } from '@plexus/agent-config';
import { EmailProvider } from '../adapters/channels/email.provider.js';
import { SessionProvider } from '../adapters/channels/session.provider.js';
import { WebhookProvider } from '../adapters/channels/webhook.provider.js';
import { WebPushProvider } from '../adapters/channels/webpush.provider.js';
import type { ChannelProvider, CodeSender } from '../application/channel-provider.js';
import type { ChannelSettings, Channels } from '../application/channel-settings.js';
import type { ChannelName } from '../application/channel-provider.js';
import { SendContactCode } from '../application/send-contact-code.js';
import { ownSecretFiles, secretVariables } from '../config.js';
import type { PushBasis } from './part.js';

/** What an answer of a webhook or push service may have; it is thrown away. */
const MAX_ANSWER_BYTES = 65_536;
const MAX_SOCKETS = 16;

/** Everything that sends outside the inbox. */
export interface ChannelSet {
  readonly channels: Channels;
  readonly providers: readonly ChannelProvider[];
}

const sets = new WeakMap<PushBasis, ChannelSet>();

/** The providers of this process: made once, whoever asks first. */
export function channelSet(basis: PushBasis): ChannelSet {
  const made = sets.get(basis) ?? makeChannelSet(basis);
  sets.set(basis, made);
  return made;
}

/** What proves contacts: sends over the same providers as deliveries do. */
export function codeSender(basis: PushBasis): CodeSender {
  return new SendContactCode(channelSet(basis), basis.context.clock);
}

/** What browsers of a tenant subscribe with, while it has Web Push. */
export function webPushKeys(basis: PushBasis): (tenant: string) => string | undefined {
  const { channels } = channelSet(basis);
  return (tenant) => channels.settingsOf(tenant, 'webpush')?.publicKey;
}

function makeChannelSet({ context }: PushBasis): ChannelSet {
  const { config, tenants, bus, identity, clock } = context;
  const allows = allowedHosts(config.PUSH_PRIVATE_HOSTS);
  const http = guardedFetch({ allowPrivate: allows, maxAnswerBytes: MAX_ANSWER_BYTES, maxSockets: MAX_SOCKETS });
  context.onShutdown('sockets', 'connections to webhooks and push services', () => http.close());
  const sources = secretSourcesOf(context);
  const channels: Channels = {
    settingsOf: <C extends ChannelName>(tenant: string, channel: C) => {
      const settings = (tenants.get(tenant)?.push?.channels as PushChannelsConfig | undefined)?.[channel] as ChannelSettings<C> | undefined;
      return settings?.enabled === false && channel !== 'session' ? undefined : settings;
    },
    secret: (tenant, reference) => tenantSecret(reference, tenant, tenants.get(tenant), sources),
  };
  const principalOf = (tenant: string, user: string) => identity.service(tenant, user);
  const now = (): number => clock.now();
  return {
    channels,
    providers: [
      new SessionProvider(bus, principalOf, (tenant) => channels.settingsOf(tenant, 'session')),
      new WebhookProvider(channels, http, now),
      new EmailProvider(channels, allows),
      new WebPushProvider(channels, http, now),
    ],
  };
}

function secretSourcesOf({ config, log }: PushBasis['context']): TenantSecretSources {
  const keys = sealingKeys(masterKeys(config));
  if (keys === 'unusable') log.warn('the master key is none that seals (32 bytes in base64 or hex): sealed references cannot be opened');
  return {
    env: secretVariables(),
    folders: config.PUSH_SECRET_FOLDERS.split(',')
      .map((folder) => folder.trim())
      .filter((folder) => folder !== ''),
    forbidden: ownSecretFiles(config),
    masterKeys: keys === 'unusable' ? undefined : keys,
  };
}

function masterKeys(config: PushBasis['context']['config']) {
  const { PLEXUS_MASTER_KEY, PLEXUS_MASTER_KEY_FILE, PLEXUS_MASTER_KEY_PREVIOUS_FILE, NODE_ENV } = config;
  const strong = (name: string, value: string) => requireStrongSecret(value, { name, minBytes: 32, env: NODE_ENV });
  const given = PLEXUS_MASTER_KEY_FILE === undefined ? PLEXUS_MASTER_KEY : read('PLEXUS_MASTER_KEY_FILE', PLEXUS_MASTER_KEY_FILE);
  if (given === undefined) return undefined;
  const name = 'PLEXUS_MASTER_KEY_PREVIOUS_FILE';
  const previous = PLEXUS_MASTER_KEY_PREVIOUS_FILE === undefined ? undefined : strong(name, read(name, PLEXUS_MASTER_KEY_PREVIOUS_FILE));
  return { current: strong('PLEXUS_MASTER_KEY', given), previous };
}

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigurationError(`${name} ${file} cannot be read`, { cause });
  }
}
