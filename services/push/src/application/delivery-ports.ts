import type { AttemptRecord, ItemMarks } from '../domain/delivery/next-step.js';
import type { ChannelName, ChannelTarget } from './channel-provider.js';

/** What is sent where: (delivery, channel, level) is one command, however often it arrives. */
export interface CommandKey {
  readonly tenant: string;
  readonly user: string;
  readonly deliveryId: string;
  readonly channel: string;
  readonly level: number;
}

/** Where attempts are written down: before they are made, and how they ended. */
export interface AttemptBook {
  /** Everything that was done for the command, oldest first. */
  history(key: CommandKey): Promise<AttemptRecord[]>;
  /**
   * Writes an attempt down as under way for `leaseMs`. False when somebody else was faster. A lapsed attempt is closed as interrupted in
   * the same step.
   */
  claim(key: CommandKey, attempt: { contact: string; n: number; commandSeq: number; leaseMs: number; lapsed?: number | undefined }): Promise<boolean>;
  end(key: CommandKey, attempt: { contact: string; n: number }, status: 'sent' | 'failed' | 'parked', error?: string): Promise<void>;
  /** Writes down that nothing is sent, and why; once. */
  skip(key: CommandKey, commandSeq: number, reason: string): Promise<void>;
}

export interface ItemStates {
  /** Undefined when the item is not there (any more). */
  marksOf(tenant: string, user: string, deliveryId: string): Promise<ItemMarks | undefined>;
}

export interface ContactDirectory {
  /** Verified addresses of the user that are in use. */
  reachable(tenant: string, user: string, channel: ChannelName): Promise<ChannelTarget[]>;
  /** The address exists no more: nothing is sent there again, and its owner can see why. */
  retire(tenant: string, contact: string, reason: string): Promise<void>;
}

/** What a channel may cost a tenant, as configured at this moment. */
export interface ChannelLimits {
  readonly perMinute: number;
  readonly concurrent: number;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
}

export type LimitsOf = (tenant: string, channel: ChannelName) => ChannelLimits;
