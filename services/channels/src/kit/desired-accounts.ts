import { stableStringify } from '@plexus/kernel';

/** One account that the configuration names and does not disable. */
export interface DesiredAccount {
  readonly tenant: string;
  readonly account: string;
  /** As configured: secrets are still references. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Values of the configuration itself for references whose variable the process does not have. */
  readonly variables: Readonly<Record<string, string>>;
  /** Changes exactly when the connection must be made anew: who may write to the account is not the adapter's business. */
  readonly fingerprint: string;
}

/** The part of a tenant's configuration that matters here. */
interface ChannelsOf {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly channels?:
    | Readonly<
        Record<
          string,
          {
            readonly enabled?: boolean | undefined;
            readonly accounts: Readonly<Record<string, { readonly enabled?: boolean | undefined; readonly settings?: Record<string, unknown> | undefined }>>;
          }
        >
      >
    | undefined;
}

/** The accounts of one adapter in one tenant's configuration. */
export function desiredAccounts(tenant: string, config: ChannelsOf | undefined, adapter: string): DesiredAccount[] {
  const channels = config?.channels ?? {};
  const channel = Object.hasOwn(channels, adapter) ? channels[adapter] : undefined;
  if (channel === undefined || channel.enabled === false) return [];
  const variables = config?.env ?? {};
  return Object.entries(channel.accounts)
    .filter(([, { enabled }]) => enabled !== false)
    .map(([account, { settings = {} }]) => ({ tenant, account, settings, variables, fingerprint: stableStringify({ settings, variables }) }));
}
