import { type ChannelAccount, channelAccounts, defaultAccountOf, type TenantConfig } from '@plexus/agent-config';
import { plexusError } from '@plexus/contracts';
import { type CompiledRoutes, compileRoutes } from '@plexus/routing-core';

/** One version of a tenant's configuration; everything about one message is decided with one version. */
export interface TenantSnapshot {
  readonly config: TenantConfig;
  readonly revision: number;
}

/** What is derived from a version is computed once. */
interface Compiled {
  readonly routes: CompiledRoutes;
  readonly accounts: readonly ChannelAccount[];
}

/** Configuration of tenants with everything that is compiled from it, per version. */
export class TenantSettings {
  readonly #snapshotOf: (tenant: string) => TenantSnapshot | undefined;
  readonly #compiled = new WeakMap<TenantConfig, Compiled>();

  constructor(snapshotOf: (tenant: string) => TenantSnapshot | undefined) {
    this.#snapshotOf = snapshotOf;
  }

  find(tenant: string): TenantSnapshot | undefined {
    return this.#snapshotOf(tenant);
  }

  /** Throws UNKNOWN_TENANT. */
  get(tenant: string): TenantSnapshot {
    const snapshot = this.#snapshotOf(tenant);
    if (!snapshot) throw plexusError('UNKNOWN_TENANT', { details: { tenant } });
    return snapshot;
  }

  routes(snapshot: TenantSnapshot): CompiledRoutes {
    return this.#of(snapshot).routes;
  }

  /** Enabled accounts of a channel. */
  accounts(snapshot: TenantSnapshot, channel?: string): readonly ChannelAccount[] {
    return this.#of(snapshot).accounts.filter((account) => account.enabled && (channel === undefined || account.adapter === channel));
  }

  account(snapshot: TenantSnapshot, channel: string, accountId: string): ChannelAccount | undefined {
    return this.accounts(snapshot, channel).find((account) => account.accountId === accountId);
  }

  defaultAccount({ config }: TenantSnapshot, channel: string): string | undefined {
    return defaultAccountOf(config, channel);
  }

  #of({ config, revision }: TenantSnapshot): Compiled {
    let compiled = this.#compiled.get(config);
    if (!compiled) {
      compiled = { routes: compileRoutes(config, revision), accounts: channelAccounts(config) };
      this.#compiled.set(config, compiled);
    }
    return compiled;
  }
}
