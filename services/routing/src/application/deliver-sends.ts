import { channelContracts, plexusError, type DataOf } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { breakerStep, CIRCUIT_EVENT_NAMES, type CircuitTransition, healthStep, orderAccounts } from '@plexus/routing-core';
import { type ChannelError, type ChannelFailure, judgeFailure, mayPass } from '../domain/channel-failure.js';
import { misfit } from '../domain/channel-limits.js';
import { afterFailure, backoffMs } from '../domain/delivery-plan.js';
import { breakerChanged, sendCommand } from './outgoing-sends.js';
import type { RoutingStore, RoutingTransaction } from './ports.js';
import type { AccountState, StoredAttempt, StoredSend } from './send-ports.js';
import type { TenantSettings } from './tenant-settings.js';

export interface DeliveryLimits {
  /** Failures in a row that open the breaker of an account, and how long it then rests. */
  readonly threshold: number;
  readonly resetMs: number;
  /** How long the outcome of an attempt is waited for. */
  readonly attemptTimeoutMs: number;
}

export type Succeeded = DataOf<typeof channelContracts.sendSucceeded>;
export type Failed = DataOf<typeof channelContracts.sendFailed>;

/** What the metrics are told. */
export interface DeliveryEvents {
  settled(channel: string, outcome: 'sent' | 'failed' | 'dead', reason?: string): void;
  breaker(channel: string, change: CircuitTransition): void;
  /** A send could not be worked on; it was set back or, when that cannot help, ended as failed. */
  troubled(sendId: string, error: unknown): void;
}

const NO_OUTCOME: ChannelError = { message: 'no outcome came in time', code: 'ETIMEDOUT' };
/** A pause that cannot be computed from an account's reset time is this long. */
const IDLE_MS = 5_000;
/** A send that could not be worked on is looked at again after this. */
const SET_BACK_MS = 30_000;
/** Errors of encoding: the same send fails in the same way for ever. */
const UNFIT = new Set(['INVALID_REQUEST', 'PAYLOAD_TOO_LARGE']);

/**
 * Delivers messages to channels: picks the account, hands the attempt to the adapter, and decides from its outcome. Everything happens in
 * short transactions with the rows of the send and of the channel's accounts locked, so replicas share breakers, probes and budgets.
 */
export class DeliverSends {
  constructor(
    private readonly store: RoutingStore,
    private readonly settings: TenantSettings,
    private readonly now: () => number,
    private readonly limits: DeliveryLimits,
    private readonly events: DeliveryEvents,
  ) {}

  /** Works on one send that is due. False when there was none. */
  async step(): Promise<boolean> {
    let claimed: StoredSend | undefined;
    try {
      return await this.store.transaction(async (tx) => {
        claimed = undefined;
        const send = await tx.sends.claimDue();
        if (!send) return false;
        claimed = send;
        if (send.status === 'sending') await this.#failed(tx, send, send.attempt, NO_OUTCOME);
        else await this.#attempt(tx, send);
        return true;
      });
    } catch (error) {
      if (claimed === undefined || isOutage(error)) throw error;
      await this.#setAside(claimed, error);
      return true;
    }
  }

  /** What was rolled back would be picked again before everything else: one send must never keep the others from being sent. */
  async #setAside({ tenant, sendId }: StoredSend, error: unknown): Promise<void> {
    await this.store.transaction(async (tx) => {
      const send = await tx.sends.lock(tenant, sendId);
      if (send?.status !== 'waiting' && send?.status !== 'sending') return;
      const code = PlexusError.isPlexusError(error) ? error.code : 'INTERNAL';
      if (UNFIT.has(code) || send.deadlineAt.getTime() <= this.now()) await this.#endUnsendable(tx, send, code, (error as Error).message);
      else await tx.sends.setBack(send, SET_BACK_MS);
    });
    this.events.troubled(sendId, error);
  }

  /** Without a dead letter: no command could carry it. */
  async #endUnsendable(tx: RoutingTransaction, send: StoredSend, code: string, message: string): Promise<void> {
    await tx.sends.end(send, { status: 'failed', error: { code, message } });
    this.events.settled(send.route.channel, 'dead');
  }

  /** The platform took the message. Returns the send when this call made it sent; a late success of an earlier attempt counts too. */
  async succeeded(tenant: string, channel: string, outcome: Succeeded): Promise<StoredSend | undefined> {
    return this.store.transaction(async (tx) => {
      const send = await this.#lock(tx, tenant, channel, outcome.sendId);
      if (!send) return undefined;
      const attempt = await tx.sends.settleAttempt(send, outcome.attempt, { ok: true });
      if (attempt) await this.#count(tx, send, attempt, undefined);
      if (send.status === 'sent') return send;
      await tx.sends.end(send, { status: 'sent', accountId: attempt?.accountId ?? outcome.account, messageId: outcome.messageId });
      this.events.settled(channel, 'sent');
      return { ...send, status: 'sent' as const };
    });
  }

  /** The platform refused. */
  async failed(tenant: string, channel: string, outcome: Failed): Promise<void> {
    await this.store.transaction(async (tx) => {
      const send = await this.#lock(tx, tenant, channel, outcome.sendId);
      if (send) await this.#failed(tx, send, outcome.attempt, outcome.error);
    });
  }

  /** Nothing for a send that is unknown: one that was erased, or aged out. Throws FORBIDDEN for an adapter that speaks of another channel's send. */
  async #lock(tx: RoutingTransaction, tenant: string, channel: string, sendId: string): Promise<StoredSend | undefined> {
    const send = await tx.sends.lock(tenant, sendId);
    if (send && send.route.channel !== channel) throw plexusError('FORBIDDEN', { message: 'The outcome comes from another adapter than the send went to.' });
    return send;
  }

  async #attempt(tx: RoutingTransaction, send: StoredSend): Promise<void> {
    const now = this.now();
    const { tenant, route } = send;
    const remainingMs = send.deadlineAt.getTime() - now;
    if (remainingMs <= 0) return this.#giveUp(tx, send, send.error ?? { code: 'DELIVERY_FAILED', message: 'the deadline passed' });
    const problem = misfit(sendCommand(send, { attempt: send.attempt + 1, accountId: route.accountId }).data);
    if (problem !== undefined) return this.#endUnsendable(tx, send, 'INVALID_REQUEST', problem);
    const configured = this.#accountsFor(send);
    if (configured.length === 0) return this.#giveUp(tx, send, { code: 'CHANNEL_NOT_CONFIGURED', message: 'no account of the channel is configured' });
    const standings = await tx.sends.lockAccounts(tenant, route.channel, configured);
    const untried = standings.filter(({ accountId }) => !send.tried.includes(accountId));
    const candidates = untried.length > 0 ? untried : standings;
    const [best] = orderAccounts(candidates, now, { ...this.limits, preferred: route.accountId });
    const account = candidates.find(({ accountId }) => accountId === best?.accountId);
    if (!best || !account) throw new Error('accounts that are configured have no standing');
    const asked = breakerStep(account.circuit, 'attempt', now, this.limits);
    if (!asked.allowed) {
      const pauseMs = Math.max(1, (best.retryAt ?? now + IDLE_MS) - now);
      // What failed once may work again long before the others may be probed.
      const final = await this.#final(tx, send);
      const again = candidates.length < standings.length && send.tried.some((accountId) => !final.includes(accountId));
      return tx.sends.wait(send, Math.min(again ? backoffMs(send.attempt) : pauseMs, pauseMs, remainingMs), again ? final : send.tried);
    }
    if (asked.state !== account.circuit) await this.#save(tx, send, { ...account, circuit: asked.state }, asked.transition);
    const probe = asked.state.state === 'half_open';
    const number = send.attempt + 1;
    const dueInMs = Math.min(this.limits.attemptTimeoutMs, remainingMs);
    await tx.sends.openAttempt(send, { number, accountId: account.accountId, probe, dueInMs });
    await tx.publish([sendCommand(send, { attempt: number, accountId: account.accountId, deadlineAt: new Date(now + dueInMs) })]);
  }

  /** Accounts that need not try this send again: what they failed for does not pass by itself. */
  async #final(tx: RoutingTransaction, send: StoredSend): Promise<string[]> {
    return (await tx.sends.lastReasons(send)).filter(({ reason }) => !mayPass(reason)).map(({ accountId }) => accountId);
  }

  #accountsFor({ tenant, route, pinned }: StoredSend): string[] {
    const snapshot = this.settings.find(tenant);
    const ids = snapshot ? this.settings.accounts(snapshot, route.channel).map(({ accountId }) => accountId) : [];
    return pinned ? ids.filter((accountId) => accountId === route.accountId) : ids;
  }

  async #failed(tx: RoutingTransaction, send: StoredSend, attemptNumber: number, error: ChannelError): Promise<void> {
    const failure = judgeFailure(error, send.route.channel);
    const attempt = await tx.sends.settleAttempt(send, attemptNumber, { ok: false, reason: failure.reason, error: error.message });
    if (!attempt) return;
    await this.#count(tx, send, attempt, failure);
    this.events.settled(send.route.channel, 'failed', failure.reason);
    // The outcome of an attempt that was given up says something about its account, and nothing about what goes on now.
    if (send.status !== 'sending' || attemptNumber !== send.attempt) return;
    const tried = [...new Set([...send.tried, attempt.accountId])];
    const othersLeft = this.#accountsFor(send).filter((accountId) => !tried.includes(accountId)).length;
    const remainingMs = send.deadlineAt.getTime() - this.now();
    const final = await this.#final(tx, send);
    const othersMayRecover = tried.some((accountId) => !final.includes(accountId));
    const next = afterFailure(failure, { attempts: send.attempt, othersLeft, othersMayRecover, remainingMs });
    if (next.kind === 'other-account') await tx.sends.wait(send, 0, tried);
    else if (next.kind === 'wait') await tx.sends.wait(send, next.delayMs, final);
    else await this.#giveUp(tx, send, { code: 'DELIVERY_FAILED', message: `${failure.reason}: ${error.message}` }, attempt.accountId);
  }

  /** Breaker and health of the account. While it is half open only the probe may move the breaker. */
  async #count(tx: RoutingTransaction, send: StoredSend, attempt: StoredAttempt, failure: ChannelFailure | undefined): Promise<void> {
    // What the platform refuses whoever sends it shows that the account works.
    const ok = !failure?.ofAccount;
    const now = this.now();
    const [account] = await tx.sends.lockAccounts(send.tenant, send.route.channel, [attempt.accountId]);
    if (!account) return;
    const latencyMs = Math.max(0, now - attempt.startedAt.getTime());
    const health = healthStep(account.health, ok ? { kind: 'success', latencyMs } : { kind: 'failure' }, now);
    const step =
      account.circuit.state === 'half_open' && !attempt.probe
        ? { state: account.circuit, transition: undefined }
        : breakerStep(account.circuit, ok ? 'success' : 'failure', now, this.limits);
    await this.#save(tx, send, { ...account, circuit: step.state, health }, step.transition, failure?.reason);
  }

  async #save(tx: RoutingTransaction, send: StoredSend, account: AccountState, transition: CircuitTransition | undefined, reason?: string): Promise<void> {
    const { tenant, route } = send;
    await tx.sends.saveAccount(tenant, route.channel, account);
    if (!transition) return;
    const { accountId, circuit } = account;
    const at = new Date(this.now()).toISOString();
    const data = { channel: route.channel, account: accountId, event: CIRCUIT_EVENT_NAMES[transition], failures: circuit.failures, at };
    await tx.publish([breakerChanged(tenant, transition, { ...data, ...(reason === undefined ? {} : { reason }) })]);
    this.events.breaker(route.channel, transition);
  }

  /** The message becomes a dead letter that a person may repeat as a further attempt. */
  async #giveUp(tx: RoutingTransaction, send: StoredSend, error: { code: string; message: string }, accountId = send.route.accountId): Promise<void> {
    const attempt = send.attempt + 1;
    const problem = misfit(sendCommand(send, { attempt, accountId }).data);
    if (problem !== undefined) return this.#endUnsendable(tx, send, 'INVALID_REQUEST', problem);
    await tx.sends.end(send, { status: 'failed', error });
    await tx.sends.openRepeat(send, attempt, accountId);
    const parked = { consumer: `channel-${send.route.channel}`, code: error.code, reason: error.message, attempts: send.attempt };
    await tx.publish([{ ...sendCommand(send, { attempt, accountId }), parked }]);
    this.events.settled(send.route.channel, 'dead');
  }
}

/** The database or the bus is away: nothing is wrong with the send. */
function isOutage(error: unknown): boolean {
  return PlexusError.isPlexusError(error) && error.retryable;
}
