import type { Loose } from './normalise.js';

export interface AgentEntry {
  readonly id: Loose;
  readonly default?: boolean | null | undefined;
}

export interface PeerMatch {
  readonly kind?: Loose;
  readonly id?: Loose;
}

export interface BindingEntry {
  readonly agentId: Loose;
  readonly match: {
    readonly channel: Loose;
    readonly accountId?: Loose;
    readonly peer?: PeerMatch | null | undefined;
    readonly guildId?: Loose;
    readonly teamId?: Loose;
    readonly roles?: readonly string[] | null | undefined;
  };
}

export type DmScope = 'main' | 'per-peer' | 'per-channel-peer' | 'per-account-channel-peer';

/** What routing reads of a tenant's configuration. Every part may be missing. */
export interface RoutingConfig {
  readonly agents?: { readonly list?: readonly AgentEntry[] | null | undefined } | null | undefined;
  readonly bindings?: readonly (BindingEntry | null | undefined)[] | null | undefined;
  readonly session?: SessionSettings | null | undefined;
}

export interface SessionSettings {
  readonly dmScope?: DmScope | (string & {}) | null | undefined;
  readonly mainKey?: Loose;
  readonly scope?: 'per-sender' | 'global' | (string & {}) | null | undefined;
  readonly identityLinks?: IdentityLinks | null | undefined;
}

/** Canonical name → ids of the same person, bare (`42`) or for one channel (`telegram:42`). */
export type IdentityLinks = Readonly<Record<string, readonly Loose[] | null | undefined>>;
