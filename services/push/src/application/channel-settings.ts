import type { PushChannelsConfig } from '@plexus/agent-config';
import type { Result } from '@plexus/kernel';
import type { ChannelName } from './channel-provider.js';
import type { ChannelLimits } from './delivery-ports.js';

export type ChannelSettings<C extends ChannelName> = NonNullable<PushChannelsConfig[C]>;
type Secret = NonNullable<ChannelSettings<'webhook'>['signingSecret']>;

/** How tenants have configured their channels, looked up anew for every attempt: a change needs no restart. */
export interface Channels {
  /** Undefined: the tenant does not use the channel. `session` needs no settings. */
  settingsOf<C extends ChannelName>(tenant: string, channel: C): ChannelSettings<C> | undefined;
  /** The secret that a reference leads to at this moment. The error names reference and reason, never a value. */
  secret(tenant: string, reference: Secret): Result<string, string>;
}

const DEFAULTS: ChannelLimits = { perMinute: 600, concurrent: 8, timeoutMs: 10_000, maxAttempts: 12 };

/**
 * What one of several replicas may spend of it: they share the deliveries evenly enough, and together stay within what the tenant allows. Each may have one
 * under way all the same: of more replicas than `concurrent` says, as many.
 */
export function shareOf(limits: ChannelLimits, replicas: number): ChannelLimits {
  return { ...limits, perMinute: limits.perMinute / replicas, concurrent: Math.max(1, Math.floor(limits.concurrent / replicas)) };
}

/** What a channel may cost the tenant. */
export function limitsOf(channels: Channels, tenant: string, channel: ChannelName): ChannelLimits {
  const { perMinute, concurrent, timeoutMs, maxAttempts } = channels.settingsOf(tenant, channel) ?? {};
  return {
    perMinute: perMinute ?? DEFAULTS.perMinute,
    concurrent: concurrent ?? DEFAULTS.concurrent,
    timeoutMs: timeoutMs ?? DEFAULTS.timeoutMs,
    maxAttempts: maxAttempts ?? DEFAULTS.maxAttempts,
  };
}
