import type { ChannelMessage, ChannelName, ChannelTarget, SendOutcome } from '../domain/delivery/channel.js';

export { CHANNELS, type ChannelMessage, type ChannelName, type ChannelTarget, type SendOutcome } from '../domain/delivery/channel.js';

export interface SendLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** One way to reach people. Providers hold no state about messages: whoever calls them decides when, how often, and what becomes of failures. */
export interface ChannelProvider {
  readonly channel: ChannelName;
  /** What works or fails together: one circuit breaker for each. Never shown to anybody. */
  endpointOf(message: ChannelMessage, target: ChannelTarget | undefined): string;
  /** Never rejects for what the other side does; rejects only for faults of ours. `target` is absent for channels without contacts. */
  send(message: ChannelMessage, target: ChannelTarget | undefined, limits: SendLimits): Promise<SendOutcome>;
}

/** Sends the code by which a contact is proven: at once, once, over the contact's own channel. */
export interface CodeSender {
  sendCode(to: {
    readonly tenant: string;
    readonly user: string;
    readonly channel: Exclude<ChannelName, 'session'>;
    readonly target: ChannelTarget;
    readonly code: string;
    readonly expiresAt: number;
  }): Promise<SendOutcome>;
}
