import type { Priority } from '@plexus/contracts';

/** Channels outside the inbox. `session` is the user's own conversation and needs no contact. */
export const CHANNELS = ['session', 'webhook', 'email', 'webpush'] as const;
export type ChannelName = (typeof CHANNELS)[number];

/** What is said over a channel, in words that fit every channel. */
export interface ChannelMessage {
  readonly tenant: string;
  readonly user: string;
  /** The same at every repeat: the idempotency key where the channel takes one. */
  readonly id: string;
  readonly purpose: 'delivery' | 'code';
  readonly priority: Priority;
  readonly title: string;
  /** Plain text, one line each; without the title. */
  readonly lines: readonly string[];
  /** The same for machines. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Milliseconds: when it was decided. */
  readonly at: number;
  /** Milliseconds: worth nothing after it. */
  readonly expiresAt?: number;
}

/** One address of a user. */
export interface ChannelTarget {
  readonly id: string;
  readonly address: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * `sent`: the other side took it. `retry`: it may work later; `endpointFault`: the other side as a whole does not work, which counts against
 * its breaker. `refused`: it will never work. `gone`: the address exists no more. `unconfigured`: the tenant does not use this channel.
 * `error` is for operators and users: codes and names of settings, never a secret, an address or what the other side wrote.
 */
export type SendOutcome =
  | { readonly kind: 'sent' }
  | { readonly kind: 'retry'; readonly error: string; readonly afterMs?: number; readonly endpointFault: boolean }
  | { readonly kind: 'refused'; readonly error: string }
  | { readonly kind: 'gone'; readonly error: string }
  | { readonly kind: 'unconfigured'; readonly error: string };
