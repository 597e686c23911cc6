import type { channelContracts, InputOf } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Logger } from '@plexus/service-kit';
import type { z } from 'zod';
import type { AccountNotes } from './account-notes.js';
import type { DescribedError } from './channel-error.js';
import type { HttpHandler } from './http-listener.js';
import type { PrivateHosts } from './private-hosts.js';

export { ChannelError, type DescribedError, FAILURE } from './channel-error.js';

/** A message of the platform in our words; the kit adds the account. */
export type ReceivedMessage = Omit<InputOf<typeof channelContracts.messageReceived>, 'account'>;
export type SendError = channelContracts.SendError;
export type ChannelAttachment = channelContracts.ChannelAttachment;

/** One call of the platform's API: a whole message, or one part of it. */
export interface OutgoingPart {
  /** The same for every repeat of this part: hand it to the platform where that deduplicates. */
  readonly idempotencyKey: string;
  readonly sendId: string;
  /** From 0. */
  readonly index: number;
  readonly count: number;
  readonly to: string;
  readonly chatKind?: channelContracts.ChatKind;
  readonly threadId?: string;
  /** On the first part only. */
  readonly replyToId?: string;
  /** Empty for a part that is only an attachment. */
  readonly text: string;
  readonly attachments: readonly ChannelAttachment[];
  readonly silent: boolean;
  readonly sessionKey?: string;
  readonly runId?: string;
}

/** What an adapter sees of the one account it was asked to connect. */
export interface AccountPort<Settings> {
  readonly tenant: string;
  readonly account: string;
  /** Checked by the adapter's schema, secrets resolved. */
  readonly settings: Settings;
  readonly log: Logger;
  readonly clock: Clock;
  /** Aborts when the account is stopped or its connection is given up. */
  readonly signal: AbortSignal;
  /** Which addresses of private networks the operator allows. */
  readonly privateHosts: PrivateHosts;
  /**
   * Stores one message. Tell the platform that it arrived only after this has resolved; when it rejects, let the platform repeat it.
   * Repeats are harmless: the id is made of account, chat and message.
   */
  receive(message: ReceivedMessage): Promise<void>;
  /** Survives a crash of the process. */
  readonly notes: AccountNotes;
  /** The connection is over: the kit closes it and connects again with back-off. */
  lost(reason: unknown): void;
  /** Something fails that the connection repeats by itself. */
  degraded(reason: unknown): void;
  /** It works (again). */
  recovered(): void;
  /** Answers requests to `POST /channels/<adapter>/<tenant>/<account>` on the adapter's HTTP port, until the account stops. */
  route(handler: HttpHandler): Promise<void>;
}

/** One connected account. */
export interface AccountConnection {
  /** Hands one part to the platform. Rejects with whatever the platform or the network says; `describeError` puts it into words. */
  send(part: OutgoingPart, signal: AbortSignal): Promise<{ readonly messageId?: string }>;
  close(): Promise<void> | void;
}

/** Everything that makes an adapter. See docs/guides/channel-adapter.md. */
export interface ChannelAdapter<Schema extends z.ZodType = z.ZodType> {
  /** Name of the channel: source token, command, consumer and NATS role follow from it. */
  readonly adapter: string;
  /** Strict schema of `settings` of an account, after secrets were resolved. */
  readonly settings: Schema;
  /** Longest text of one part, in UTF-16 units. */
  readonly textLimit: number;
  /** `inline`: with the last part of the text; `separate`: one part each; `links`: their URLs at the end of the text. */
  readonly attachments: 'inline' | 'separate' | 'links';
  /**
   * Ids of groups and channels mean the same place for every account: when another account takes over a message of several parts, it goes on behind the
   * last part that arrived there. Default false: the message begins anew.
   */
  readonly sharedGroups?: boolean;
  /** Calls under way at once per account. Default 4. */
  readonly concurrency?: number;
  /** Calls started per second and account. Default 20. */
  readonly callsPerSecond?: number;
  /** Time limit of one part, in milliseconds. Default 30,000. */
  readonly sendTimeoutMs?: number;
  /** Connects one account. Rejects when it cannot; the kit shows the reason and tries again with back-off. */
  connect(port: AccountPort<z.output<Schema>>): Promise<AccountConnection>;
  /** Puts an error of the platform's client into our words; nothing for errors of the network, which the kit knows. */
  readonly describeError?: (error: unknown) => DescribedError | undefined;
}
