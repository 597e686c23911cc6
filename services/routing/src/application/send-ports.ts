import type { routingContracts, channelContracts } from '@plexus/contracts';
import type { CircuitState, HealthState } from '@plexus/routing-core';
import type { ReplyRoute } from '../domain/reply-route.js';
import type { SessionEntry } from '../domain/session-entry.js';

export type SendStatus = 'waiting' | 'sending' | 'sent' | 'failed';
export type SendAttachment = channelContracts.ChannelAttachment;

/** The session that shows a message once it was sent. */
export interface Mirror {
  readonly owner: string;
  readonly sessionKey: string;
  readonly agentId: string;
  readonly text: string;
  readonly entry: SessionEntry;
}

export interface SendDraft {
  readonly tenant: string;
  readonly owner: string;
  readonly sendId: string;
  readonly idempotencyKey: string;
  readonly requestHash: string;
  readonly origin: 'rpc' | 'answer' | 'pairing';
  readonly route: ReplyRoute;
  /** The caller named the account: no other one is tried. */
  readonly pinned: boolean;
  readonly silent?: boolean | undefined;
  readonly text: string;
  readonly attachments: readonly SendAttachment[];
  readonly mirror?: Mirror | undefined;
  readonly runId?: string | undefined;
  readonly sessionKey?: string | undefined;
  readonly deadlineAt: Date;
  readonly configRevision: number;
}

export interface StoredSend extends SendDraft {
  readonly ref: number;
  readonly status: SendStatus;
  /** Attempts made so far, over all accounts. */
  readonly attempt: number;
  /** Accounts that failed since the last pause. */
  readonly tried: readonly string[];
  readonly sentAccountId?: string | undefined;
  readonly messageId?: string | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly createdAt: Date;
  readonly endedAt?: Date | undefined;
}

export interface StoredAttempt {
  readonly accountId: string;
  readonly probe: boolean;
  readonly startedAt: Date;
}

export interface AccountState {
  readonly accountId: string;
  readonly circuit: CircuitState;
  readonly health: HealthState;
}

/** Every statement on a send or an account runs with its row locked: one probe at a time, one attempt at a time, on any number of replicas. */
export interface SendStatements {
  /** Stores the intent, due at once; `created` false: the key is known and this is its send. */
  insert(draft: SendDraft): Promise<{ send: StoredSend; created: boolean }>;
  /** One send that is due and at the head of its chat, locked; others take the next one. */
  claimDue(): Promise<StoredSend | undefined>;
  lock(tenant: string, sendId: string): Promise<StoredSend | undefined>;
  find(tenant: string, owner: string, sendId: string): Promise<StoredSend | undefined>;
  /** The standing of these accounts, locked; unknown ones are new. */
  lockAccounts(tenant: string, channel: string, accountIds: readonly string[]): Promise<AccountState[]>;
  saveAccount(tenant: string, channel: string, account: AccountState): Promise<void>;
  /** Notes an attempt as under way until `dueInMs` from now. */
  openAttempt(send: StoredSend, attempt: { number: number; accountId: string; probe: boolean; dueInMs: number }): Promise<void>;
  /** Notes the outcome of an attempt; undefined when there is none that is still open. */
  settleAttempt(
    send: StoredSend,
    attempt: number,
    outcome: { ok: boolean; reason?: string | undefined; error?: string | undefined },
  ): Promise<StoredAttempt | undefined>;
  /** Why each account failed last, of those that were tried for this send. */
  lastReasons(send: StoredSend): Promise<{ accountId: string; reason?: string | undefined }[]>;
  /** Has the send looked at again in so long; nothing else changes. */
  setBack(send: Pick<StoredSend, 'ref'>, dueInMs: number): Promise<void>;
  /** The send waits for so long. */
  wait(send: StoredSend, dueInMs: number, tried: readonly string[]): Promise<void>;
  end(
    send: StoredSend,
    end: { status: 'sent'; accountId: string; messageId?: string | undefined } | { status: 'failed'; error: { code: string; message: string } },
  ): Promise<void>;
  /** An attempt that a person may repeat from the dead letters. */
  openRepeat(send: StoredSend, attempt: number, accountId: string): Promise<void>;
}

export type SendSummary = routingContracts.SendSummary;
