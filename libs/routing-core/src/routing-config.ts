import type { Loose } from './normalise.js';

export interface AgentEntry {
  readonly id: Loose;
  readonly default?: boolean | null | undefined;
}

export interface PeerMatch {
  readonly kind?: Loose;
  readonly id?: Loose;
}

export interface BindingMatch {
  readonly channel: Loose;
  /** Absent: the default account; `*`: every account. */
  readonly accountId?: Loose;
  readonly peer?: PeerMatch | null | undefined;
  readonly guildId?: Loose;
  readonly teamId?: Loose;
  readonly roles?: readonly Loose[] | null | undefined;
}

export interface BindingEntry {
  readonly agentId: Loose;
  readonly match: BindingMatch;
}

export type DmScope = 'main' | 'per-peer' | 'per-channel-peer' | 'per-account-channel-peer';

/** What routing reads of a tenant's configuration. Every part may be missing, and garbage in a part counts as missing. */
export interface RoutingConfig {
  readonly agents?: { readonly list?: readonly (AgentEntry | null | undefined)[] | null | undefined } | null | undefined;
  readonly bindings?: readonly (BindingEntry | null | undefined)[] | null | undefined;
  readonly session?: SessionSettings | null | undefined;
  /** Settings of channels; only Slack's lists of group conversations are read here, in the forms of {@link SlackSettings}. */
  readonly channels?: Readonly<Record<string, unknown>> | null | undefined;
}

/** Where Slack's group conversations may be listed: on the channel, on an account, or in an account's `settings`. */
export interface SlackSettings {
  readonly dm?: { readonly groupChannels?: readonly Loose[] | null | undefined } | null | undefined;
  readonly channels?: Readonly<Record<string, unknown>> | null | undefined;
}

export interface SessionSettings {
  readonly dmScope?: DmScope | (string & {}) | null | undefined;
  readonly mainKey?: Loose;
  readonly scope?: 'per-sender' | 'global' | (string & {}) | null | undefined;
  readonly identityLinks?: IdentityLinks | null | undefined;
  /** The word for direct messages in keys; `direct` for fleets that share keys with gateways that write it. Absent: `dm`. */
  readonly dmKeyword?: 'dm' | 'direct' | (string & {}) | null | undefined;
}

/** Canonical name → ids of the same person, bare (`42`) or for one channel (`telegram:42`). */
export type IdentityLinks = Readonly<Record<string, readonly Loose[] | null | undefined>>;
