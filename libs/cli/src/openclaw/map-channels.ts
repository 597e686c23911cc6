import { normaliseAccountId } from '@plexus/routing-core';
import type { Draft } from './draft.js';
import { mapSecret, variableName } from './map-secret.js';
import type { Place } from './reading.js';

/** Settings of an adapter: their name here, and in OpenClaw. */
const SECRETS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  telegram: { botToken: 'botToken', webhookSecret: 'webhookSecret' },
  slack: { botToken: 'botToken', appToken: 'appToken', signingSecret: 'signingSecret' },
};
const TEXTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  telegram: { publicUrl: 'webhookUrl', apiRoot: 'apiRoot' },
  slack: { mode: 'mode' },
};
const POLICIES = ['dmPolicy', 'groupPolicy'] as const;
const SENDERS = ['allowFrom', 'groupAllowFrom'] as const;

/** Accounts of the platforms that have an adapter here. A channel of one account is written without `accounts` in OpenClaw. */
export function mapChannels(channels: Place, draft: Draft): void {
  for (const channel of channels.entries()) {
    if (!Object.hasOwn(SECRETS, channel.name)) {
      if (channel.name !== 'defaults' && channel.name !== 'modelByChannel')
        channel.leave('Plexus has no adapter for it: keep it on your OpenClaw gateway and connect that as channel `upstream`');
      continue;
    }
    draft.put(['channels', channel.name, 'enabled'], channel.at('enabled').flag(), channel.at('enabled'));
    const accounts = channel.at('accounts').entries();
    const defaultAccount = channel.at('defaultAccount').text();
    draft.put(['channels', channel.name, 'defaultAccount'], defaultAccount && normaliseAccountId(defaultAccount), channel.at('defaultAccount'));
    if (accounts.length === 0) mapAccount(channel, 'default', [channel], draft);
    for (const account of accounts) {
      draft.put([...accountOf(channel, normaliseAccountId(account.name)), 'enabled'], account.at('enabled').flag(), account.at('enabled'));
      mapAccount(channel, normaliseAccountId(account.name), [account, channel], draft);
    }
  }
}

const accountOf = (channel: Place, id: string): string[] => ['channels', channel.name, 'accounts', id];

/** `layers`: the account, and the channel for what the account does not say itself. */
function mapAccount(channel: Place, id: string, layers: readonly Place[], draft: Draft): void {
  const target = accountOf(channel, id);
  for (const layer of layers) layer.use();
  const first = (...path: string[]): Place => layers.map((layer) => layer.at(...path)).find(({ value }) => value !== undefined) ?? channel.at(...path);
  const either = (...paths: string[][]): Place => paths.map((path) => first(...path)).find(({ value }) => value !== undefined) ?? first(...(paths[0] ?? []));
  for (const name of POLICIES) {
    const place = name === 'dmPolicy' ? either([name], ['dm', 'policy']) : first(name);
    draft.put([...target, name], place.text(), place);
  }
  for (const name of SENDERS) {
    const place = name === 'allowFrom' ? either([name], ['dm', 'allowFrom']) : first(name);
    draft.put(
      [...target, name],
      place.texts()?.map((sender) => sender.replace(new RegExp(`^(${channel.name}|tg):`, 'i'), '')),
      place,
    );
  }
  const prefix = id === 'default' ? [channel.name] : [channel.name, id];
  for (const [name, source] of Object.entries(SECRETS[channel.name] ?? {})) {
    const place = first(source);
    const file = name === 'botToken' ? first('tokenFile').text() : undefined;
    draft.put([...target, 'settings', name], mapSecret(place, variableName(...prefix, name)) ?? (file === undefined ? undefined : { file }), place);
  }
  for (const [name, source] of Object.entries(TEXTS[channel.name] ?? {})) draft.put([...target, 'settings', name], first(source).text(), first(source));
  if (channel.name === 'telegram' && typeof first('webhookUrl').value === 'string') draft.put([...target, 'settings', 'mode'], 'webhook', first('webhookUrl'));
  const previews = first('linkPreview');
  if (channel.name === 'telegram') draft.put([...target, 'settings', 'linkPreviews'], previews.flag(), previews);
  // An account without a setting of its own is one all the same: its token is in a variable.
  if (!layers.some((layer) => layer.at('botToken').value !== undefined || layer.at('tokenFile').value !== undefined)) {
    const name = variableName(channel.name, 'bot_token');
    draft.put([...target, 'settings', 'botToken'], `\${${name}}`, channel);
    channel.needs(name);
  }
}
