import type { Delivery, Outcome } from '@plexus/bus';
import type { channelContracts } from '@plexus/contracts';
import { type Clock, PlexusError, timeout } from '@plexus/kernel';
import type { Logger } from '@plexus/service-kit';
import { counter } from '@plexus/telemetry';
import type { Account } from './account.js';
import type { Accounts } from './accounts.js';
import { type ChannelAdapter, ChannelError, type OutgoingPart } from './channel-adapter.js';
import type { InboundGate } from './inbound-gate.js';
import { planParts } from './plan-parts.js';
import { describeError } from './send-error.js';
import type { SendLedger, SendRecord, SendResult } from './send-ledger.js';

type Send = channelContracts.ChannelSend;

const SEND_TIMEOUT_MS = 30_000;
/** How long a send waits for the first result of an account that is being connected. */
const FIRST_RESULT_MS = 15_000;
/** The configuration that names a new account may reach us after its first message: so many deliveries, a second apart, are waited. */
const UNKNOWN_ACCOUNT_DELIVERIES = 4;

/** No account is called so: their names have at least one character. */
const ANY_ACCOUNT = '';

const sends = counter('channelSends');

export interface SendMessagesOptions {
  readonly adapter: ChannelAdapter;
  readonly accounts: Pick<Accounts, 'get'>;
  readonly ledger: Pick<SendLedger, 'read' | 'write'>;
  readonly gate: Pick<InboundGate, 'succeeded' | 'failed'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Works on send commands. Every command ends with exactly one outcome event per (sendId, attempt), however often it is delivered; what a
 * platform took is not sent again. The only repetitions by itself are those of our own side (NATS away, account busy).
 */
export class SendMessages {
  /** Deliveries of one attempt that overlap share its work. */
  private readonly underWay = new Map<string, Promise<Outcome>>();
  /** The last work on each message, over all attempts and accounts: two that write parts down at once would forget each other's. */
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(private readonly options: SendMessagesOptions) {}

  async handle({ tenant, data, attempt }: Pick<Delivery<Send>, 'tenant' | 'data' | 'attempt'>): Promise<Outcome> {
    const key = JSON.stringify([tenant, data.account, data.sendId, data.attempt]);
    const running = this.underWay.get(key);
    if (running !== undefined) return running;
    const work = this.work(tenant, data, attempt)
      .catch((error: unknown): Outcome => {
        if (!PlexusError.isPlexusError(error) || !error.retryable) throw error;
        // Our own side (NATS) is away; nothing is said about the platform.
        return { kind: 'retry', afterMs: 1_000, reason: error.message };
      })
      .finally(() => this.underWay.delete(key));
    this.underWay.set(key, work);
    return work;
  }

  private async work(tenant: string, send: Send, delivery: number): Promise<Outcome> {
    const { accounts, ledger } = this.options;
    const record = await ledger.read(tenant, this.place(send), send.sendId);
    const known = record.attempts[send.attempt];
    if (known !== undefined || record.complete) {
      sends.add(1, { adapter: this.options.adapter.adapter, outcome: 'repeated' });
      return this.tell(tenant, send, known ?? success(record));
    }
    const account = accounts.get(tenant, send.account);
    if (account === undefined) {
      if (delivery < UNKNOWN_ACCOUNT_DELIVERIES) return { kind: 'retry', afterMs: 1_000, reason: `account ${send.account} is not configured (yet)` };
      const error = { message: `no account ${send.account} of ${this.options.adapter.adapter} is configured`, code: 'ACCOUNT_UNKNOWN', status: 404 };
      return this.end(tenant, send, record, { ok: false, error });
    }
    const sent = account.lanes.run(send.to, () => this.inTurn(tenant, send, () => this.attempt(tenant, send, account)));
    return sent ?? { kind: 'retry', afterMs: 500, reason: `account ${send.account} has enough to do` };
  }

  /** Where the parts of a message count as having arrived: for all accounts in a chat that is the same place for them, else for this account alone. */
  private place({ account, chatKind }: Send): string {
    const shared = this.options.adapter.sharedGroups === true && (chatKind === 'group' || chatKind === 'channel');
    return shared ? ANY_ACCOUNT : account;
  }

  private async inTurn<T>(tenant: string, send: Send, work: () => Promise<T>): Promise<T> {
    const key = JSON.stringify([tenant, this.place(send), send.sendId]);
    const mine = (this.turns.get(key) ?? Promise.resolve()).then(work);
    const tail = mine.catch(() => {}); // the failure belongs to whoever waits for `mine`; the next in turn only waits for its end
    this.turns.set(key, tail);
    try {
      return await mine;
    } finally {
      if (this.turns.get(key) === tail) this.turns.delete(key);
    }
  }

  private async attempt(tenant: string, send: Send, account: Account): Promise<Outcome> {
    const { adapter, ledger, log } = this.options;
    // Read again: an earlier attempt may have ended while this one stood in line.
    let record = await ledger.read(tenant, this.place(send), send.sendId);
    if (record.complete) return this.end(tenant, send, record, success(record));
    try {
      const parts = planParts(send, adapter);
      if (parts.length === 0) throw new ChannelError({ message: 'there is nothing to send', code: 'EMPTY_MESSAGE', status: 400 });
      for (const part of parts.slice(record.parts.length)) {
        const messageId = await this.sendPart(part, send, account);
        record = { ...record, parts: [...record.parts, messageId ?? ''] };
        if (part.index + 1 < part.count) await this.remember(tenant, send, record);
      }
      record = { ...record, complete: true };
    } catch (error) {
      if (error instanceof LedgerTrouble) throw error.cause;
      if (account.signal.aborted) return { kind: 'retry', afterMs: 500, reason: `account ${send.account} is being restarted` };
      const { refused: _refused, ...described } = describeError(error, adapter);
      if (described.retryAfterMs !== undefined) account.rate.pause(described.retryAfterMs);
      log.warn({ tenant, account: send.account, sendId: send.sendId, attempt: send.attempt, ...described }, 'a message was not sent');
      return this.end(tenant, send, record, { ok: false, error: described });
    }
    return this.end(tenant, send, record, success(record));
  }

  private async sendPart(part: OutgoingPart, send: Send, account: Account): Promise<string | undefined> {
    const { adapter, clock } = this.options;
    await account.firstResult(FIRST_RESULT_MS);
    const waitMs = await account.rate.turn(account.signal);
    if (waitMs > 0) {
      throw new ChannelError({ message: 'the platform asked for a pause that is not over', code: 'RATE_LIMITED', status: 429, retryAfterMs: waitMs });
    }
    if (send.deadlineAt !== undefined && clock.now() >= Date.parse(send.deadlineAt)) {
      throw new ChannelError({ message: `not sent before ${send.deadlineAt}`, code: 'DEADLINE_EXCEEDED' });
    }
    const { connection, state } = account;
    if (connection === undefined) {
      throw new ChannelError({ message: `the account is ${state.state}: ${state.reason ?? 'not connected'}`, code: 'ACCOUNT_DOWN', status: 503 });
    }
    const limitMs = adapter.sendTimeoutMs ?? SEND_TIMEOUT_MS;
    const late = new AbortController();
    const signal = AbortSignal.any([account.signal, late.signal]);
    try {
      const { messageId } = await timeout(connection.send(part, signal), limitMs, { clock, code: 'ETIMEDOUT', what: `call of ${adapter.adapter}` });
      return messageId;
    } finally {
      late.abort();
    }
  }

  private async remember(tenant: string, send: Send, record: SendRecord): Promise<void> {
    try {
      await this.options.ledger.write(tenant, this.place(send), send.sendId, record);
    } catch (cause) {
      throw new LedgerTrouble(cause);
    }
  }

  /** Remembers how an attempt ended, then says it. While either fails the command stays in its queue. */
  private async end(tenant: string, send: Send, record: SendRecord, result: SendResult): Promise<Outcome> {
    sends.add(1, { adapter: this.options.adapter.adapter, outcome: result.ok ? 'ok' : 'error' });
    const attempts = { ...record.attempts, [send.attempt]: result };
    await this.options.ledger.write(tenant, this.place(send), send.sendId, { ...record, attempts });
    return this.tell(tenant, send, result);
  }

  private async tell(tenant: string, send: Send, result: SendResult): Promise<Outcome> {
    const { sendId, account, attempt } = send;
    const { gate } = this.options;
    if (result.ok) await gate.succeeded(tenant, { sendId, account, attempt, ...(result.messageId !== undefined && { messageId: result.messageId }) });
    else await gate.failed(tenant, { sendId, account, attempt, error: result.error });
    return { kind: 'done' };
  }
}

function success({ parts }: SendRecord): SendResult {
  const [first] = parts;
  return first === undefined || first === '' ? { ok: true } : { ok: true, messageId: first };
}

/** Our own store failed, not the platform. */
class LedgerTrouble extends Error {
  constructor(override readonly cause: unknown) {
    super('what was sent could not be remembered');
  }
}
