import { AbortedError, CircuitBreaker, type Clock, fullJitter, PlexusError, retry, withTimeout } from '@plexus/kernel';
import { ChannelBudget } from '../domain/delivery/channel-budget.js';
import { type DeliverCommand, describeDelivery } from '../domain/delivery/channel-message.js';
import { withoutEvents } from '../domain/inbox-item.js';
import { type AttemptRecord, nextStep, stopReason } from '../domain/delivery/next-step.js';
import { CHANNELS, type ChannelMessage, type ChannelName, type ChannelProvider, type ChannelTarget, type SendOutcome } from './channel-provider.js';
import type { AttemptBook, ChannelLimits, CommandKey, ContactDirectory, ItemStates, LimitsOf } from './delivery-ports.js';

/** What becomes of the command. */
export type DeliverOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'retry'; readonly afterMs: number; readonly reason: string }
  | { readonly kind: 'park'; readonly code: string; readonly reason: string };

export interface ArrivedCommand {
  readonly tenant: string;
  readonly command: DeliverCommand;
  /** Position in its stream: a redriven dead letter has another one. */
  readonly seq: number;
  /** Milliseconds: when the stream stored it. */
  readonly storedAt: number;
  readonly signal: AbortSignal;
}

export interface DeliveryParts {
  readonly providers: readonly ChannelProvider[];
  readonly attempts: AttemptBook;
  readonly items: ItemStates;
  readonly contacts: ContactDirectory;
  readonly limitsOf: LimitsOf;
  readonly clock: Clock;
  readonly random?: () => number;
  /** For metrics and logs: never an address or a secret. */
  readonly onAttempt?: (key: CommandKey, outcome: SendOutcome['kind'] | 'held', error?: string) => void;
}

/** What became of one contact. */
type Result =
  | { readonly kind: 'done' }
  | { readonly kind: 'later'; readonly afterMs: number; readonly reason: string }
  | { readonly kind: 'parked'; readonly reason: string };

const BACKOFF = { baseMs: 1_000, capMs: 10 * 60_000 };
/** What the other side asks for is obeyed up to this. */
const LONGEST_RETRY_AFTER_MS = 60 * 60_000;
/** The stream forgets a command after a day; before that it becomes a dead letter, so that nothing vanishes. */
const PATIENCE_MS = 23 * 60 * 60_000;
/** Beyond its timeout an attempt needs a moment to be written down. */
const LEASE_MARGIN_MS = 5_000;
const BREAKER = { threshold: 5, resetMs: 30_000 };
const MAX_BREAKERS = 5_000;

/**
 * Sends one delivery over one channel: to every verified contact of the user, each at least once. What was sent is remembered, so that a
 * repeat of the command sends to nobody twice; only a crash between sending and writing it down repeats what was under way.
 */
export class DeliverItem {
  readonly #budget = new ChannelBudget();
  readonly #breakers = new Map<string, CircuitBreaker>();
  readonly #providers: ReadonlyMap<string, ChannelProvider>;

  constructor(private readonly parts: DeliveryParts) {
    this.#providers = new Map(parts.providers.map((provider) => [provider.channel, provider]));
  }

  async execute(arrived: ArrivedCommand): Promise<DeliverOutcome> {
    const { tenant, command, seq } = arrived;
    const { user, deliveryId, channel, level } = command;
    const key: CommandKey = { tenant, user, deliveryId, channel, level };
    const marks = await this.parts.items.marksOf(tenant, user, deliveryId);
    // Erased with its person, or no longer kept: nothing may be said, and nothing written down.
    if (marks === undefined) return { kind: 'done' };
    const times = {
      kind: command.item.kind,
      createdAt: Date.parse(command.item.createdAt),
      decidedAt: Date.parse(command.decidedAt),
    };
    const reason = stopReason(times, marks, this.parts.clock.now());
    if (reason !== undefined) return this.#skip(key, seq, reason);
    // Access may have been withdrawn while the command waited: what is told outside cannot be taken back.
    const item = withoutEvents(command.item, marks.forbidden);
    if (item === undefined) return this.#skip(key, seq, 'not_authorized');
    const provider = this.#providers.get(channel);
    if (provider === undefined || !isChannel(channel)) return this.#skip(key, seq, 'unknown_channel');
    const targets = channel === 'session' ? [undefined] : await this.parts.contacts.reachable(tenant, user, channel);
    if (targets.length === 0) return this.#skip(key, seq, 'no_contact');
    return this.#sendToAll(arrived, key, provider, targets, describeDelivery(tenant, { ...command, item }, marks.expiresAt));
  }

  async #sendToAll(
    arrived: ArrivedCommand,
    key: CommandKey,
    provider: ChannelProvider,
    targets: readonly (ChannelTarget | undefined)[],
    message: ChannelMessage,
  ): Promise<DeliverOutcome> {
    const history = await this.parts.attempts.history(key);
    const limits = this.parts.limitsOf(key.tenant, provider.channel);
    const results = await Promise.all(
      targets.map((target) => {
        const own = history.filter(({ contact }) => contact === (target?.id ?? ''));
        return this.#sendTo({ arrived, key, provider, target, message, limits }, own);
      }),
    );
    return this.#ending(arrived, results);
  }

  /** One ending for the command: while one contact may still be reached it goes on, and is parked when the last one is through. */
  #ending({ storedAt, command }: ArrivedCommand, results: readonly Result[]): DeliverOutcome {
    const waiting = results.filter((result) => result.kind === 'later');
    const [parked] = results.filter((result) => result.kind === 'parked');
    const [next] = [...waiting].sort((a, b) => a.afterMs - b.afterMs);
    if (next !== undefined) {
      if (this.parts.clock.now() + next.afterMs - storedAt < PATIENCE_MS) return { ...next, kind: 'retry' };
      return { kind: 'park', code: 'DELIVERY_EXHAUSTED', reason: `${command.channel}: not sent within its time (${next.reason})` };
    }
    return parked === undefined ? { kind: 'done' } : { kind: 'park', code: 'DELIVERY_FAILED', reason: `${command.channel}: ${parked.reason}` };
  }

  async #sendTo(job: Job, history: readonly AttemptRecord[]): Promise<Result> {
    const { key, limits, provider, message, target, arrived } = job;
    const step = nextStep(history, arrived.seq, limits.maxAttempts);
    if (step.kind === 'done') return step;
    if (step.kind === 'busy') return { kind: 'later', afterMs: step.afterMs, reason: 'under way elsewhere' };
    if (step.kind === 'parked') return { kind: 'parked', reason: step.error };
    const permit = this.#budget.take(`${key.tenant}|${provider.channel}`, limits, this.parts.clock.monotonic());
    if (!permit.ok) return this.#held(job, permit.afterMs, 'budget');
    try {
      const breaker = this.#breaker(`${key.tenant}|${provider.channel}|${provider.endpointOf(message, target)}`);
      if (!breaker.canAttempt()) {
        permit.giveBack();
        return this.#held(job, BREAKER.resetMs, 'breaker');
      }
      const contact = target?.id ?? '';
      const attempt = { contact, n: step.n, commandSeq: arrived.seq, leaseMs: limits.timeoutMs + LEASE_MARGIN_MS, lapsed: step.lapsed };
      if (!(await this.parts.attempts.claim(key, attempt))) return { kind: 'later', afterMs: attempt.leaseMs, reason: 'under way elsewhere' };
      const outcome = await this.#attempt(job);
      if (outcome === 'interrupted') return { kind: 'later', afterMs: 0, reason: 'the service is stopping' };
      if (outcome.kind === 'retry' && outcome.endpointFault) breaker.failure();
      else breaker.success();
      return await this.#close(job, { contact, n: step.n, tried: step.tried + 1 }, outcome);
    } finally {
      permit.release();
    }
  }

  /** Not an attempt: nothing was tried, and nothing is counted. Spread, so that those who wait together do not come back together. */
  #held({ key }: Job, afterMs: number, why: 'budget' | 'breaker'): Result {
    this.parts.onAttempt?.(key, 'held', why);
    const spread = fullJitter(0, { baseMs: why === 'breaker' ? BREAKER.resetMs : 250, capMs: 60_000, ...this.#jitter() });
    return { kind: 'later', afterMs: afterMs + spread, reason: `held back by its ${why}` };
  }

  async #attempt({ provider, message, target, limits, arrived }: Job): Promise<SendOutcome | 'interrupted'> {
    const { timeoutMs } = limits;
    try {
      return await withTimeout((signal) => provider.send(message, target, { timeoutMs, signal: AbortSignal.any([signal, arrived.signal]) }), timeoutMs, {
        clock: this.parts.clock,
        signal: arrived.signal,
      });
    } catch (error) {
      // Whether it arrived is unknown: the row stays as it is, and the command comes again when its lease is over.
      if (error instanceof AbortedError || arrived.signal.aborted) return 'interrupted';
      if (PlexusError.isPlexusError(error) && error.code === 'TIMEOUT') return { kind: 'retry', error: 'timeout', endpointFault: true };
      throw error;
    }
  }

  async #close({ key, target, limits }: Job, attempt: { contact: string; n: number; tried: number }, outcome: SendOutcome): Promise<Result> {
    const error = outcome.kind === 'sent' ? undefined : outcome.error;
    this.parts.onAttempt?.(key, outcome.kind, error);
    switch (outcome.kind) {
      case 'sent':
        await this.#end(key, attempt, 'sent');
        return { kind: 'done' };
      case 'gone':
        if (target !== undefined) await this.parts.contacts.retire(key.tenant, target.id, outcome.error);
        await this.#end(key, attempt, 'failed', outcome.error);
        return { kind: 'done' };
      case 'unconfigured':
        await this.#end(key, attempt, 'failed', outcome.error);
        return { kind: 'done' };
      case 'refused':
        await this.#end(key, attempt, 'parked', outcome.error);
        return { kind: 'parked', reason: outcome.error };
      case 'retry': {
        const isLast = attempt.tried >= limits.maxAttempts;
        await this.#end(key, attempt, isLast ? 'parked' : 'failed', outcome.error);
        if (isLast) return { kind: 'parked', reason: `${outcome.error}, after ${attempt.tried} attempts` };
        const asked = Math.min(outcome.afterMs ?? 0, LONGEST_RETRY_AFTER_MS);
        return { kind: 'later', afterMs: asked + fullJitter(attempt.tried - 1, { ...BACKOFF, ...this.#jitter() }), reason: outcome.error };
      }
    }
  }

  /** What was sent must be written down: a database that is away for a moment would otherwise make it be sent again. */
  async #end(key: CommandKey, attempt: { contact: string; n: number }, status: 'sent' | 'failed' | 'parked', error?: string): Promise<void> {
    await retry(() => this.parts.attempts.end(key, attempt, status, error), { attempts: 8, baseMs: 50, capMs: 1_000, clock: this.parts.clock });
  }

  async #skip(key: CommandKey, seq: number, reason: string): Promise<DeliverOutcome> {
    await this.parts.attempts.skip(key, seq, reason);
    return { kind: 'done' };
  }

  #breaker(name: string): CircuitBreaker {
    const known = this.#breakers.get(name);
    if (known !== undefined) return known;
    if (this.#breakers.size >= MAX_BREAKERS) {
      for (const [key, { state }] of this.#breakers) if (state === 'closed') this.#breakers.delete(key);
      // All of them open: forgetting one costs a few attempts.
      const [oldest] = this.#breakers.keys();
      if (this.#breakers.size >= MAX_BREAKERS && oldest !== undefined) this.#breakers.delete(oldest);
    }
    const breaker = new CircuitBreaker({ ...BREAKER, clock: this.parts.clock });
    this.#breakers.set(name, breaker);
    return breaker;
  }

  #jitter(): { random?: () => number } {
    return this.parts.random === undefined ? {} : { random: this.parts.random };
  }
}

interface Job {
  readonly arrived: ArrivedCommand;
  readonly key: CommandKey;
  readonly provider: ChannelProvider;
  readonly target: ChannelTarget | undefined;
  readonly message: ChannelMessage;
  readonly limits: ChannelLimits;
}

function isChannel(channel: string): channel is ChannelName {
  return (CHANNELS as readonly string[]).includes(channel);
}
