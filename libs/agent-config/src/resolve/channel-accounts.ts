import type { DmPolicy, GroupPolicy } from '../schema/channels-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';

/** One account of a channel with its defaults. References inside `settings` are kept as they are. */
export interface ChannelAccount {
  readonly adapter: string;
  readonly accountId: string;
  readonly enabled: boolean;
  readonly dmPolicy: DmPolicy;
  readonly groupPolicy: GroupPolicy;
  readonly allowFrom: readonly string[];
  readonly groupAllowFrom: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Every configured account, disabled ones too, ordered by adapter and account. */
export function channelAccounts(config: TenantConfig): ChannelAccount[] {
  return Object.entries(config.channels ?? {})
    .flatMap(([adapter, channel]) =>
      Object.entries(channel.accounts).map(([accountId, account]): ChannelAccount => {
        const allowFrom = account.allowFrom ?? [];
        return {
          adapter,
          accountId,
          enabled: channel.enabled !== false && account.enabled !== false,
          dmPolicy: account.dmPolicy ?? 'pairing',
          groupPolicy: account.groupPolicy ?? 'allowlist',
          allowFrom,
          groupAllowFrom: account.groupAllowFrom ?? allowFrom,
          settings: account.settings ?? {},
        };
      }),
    )
    .sort((a, b) => compare(a.adapter, b.adapter) || compare(a.accountId, b.accountId));
}

/** The account that sends where a message names none: the configured one, else `default`, else the first; undefined without accounts. */
export function defaultAccountOf(config: TenantConfig, adapter: string): string | undefined {
  const channels = config.channels ?? {};
  const channel = Object.hasOwn(channels, adapter) ? channels[adapter] : undefined;
  if (channel === undefined) return undefined;
  const ids = Object.keys(channel.accounts);
  return channel.defaultAccount ?? (ids.includes('default') ? 'default' : ids.sort(compare)[0]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
