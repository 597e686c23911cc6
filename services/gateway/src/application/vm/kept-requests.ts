import { errors } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import type { Log } from '../ports.js';
import { pause, persist } from '../persist.js';
import type { Answer, Asked } from './request-ledger.js';

export interface RequestKey {
  readonly vmId: string;
  readonly epoch: number;
  readonly id: string;
}

/** A request that must not run twice, as every gateway sees it. */
export type KeptRequest = { readonly state: 'pending'; readonly at: number; readonly by: string } | { readonly state: 'done'; readonly answer: Answer };

/** Where such requests are kept for some minutes. */
export interface RequestStore {
  /** False when somebody wrote the key before. */
  claim(key: RequestKey, request: KeptRequest): Promise<boolean>;
  read(key: RequestKey): Promise<KeptRequest | undefined>;
  settle(key: RequestKey, request: KeptRequest): Promise<void>;
}

/** Whoever claimed a request has answered it by then, or is gone. */
const CLAIM_MS = 90_000;
const POLL_MS = 500;
const STORE_LIMIT_MS = 60_000;
const KEEP_WAIT_MS = 2_000;

/**
 * Requests whose repetition would do something twice (a call of somebody's tool). The first gateway that is asked claims the id before it
 * asks the owner; a resend on any gateway finds the claim, waits for its answer and gets that. When the gateway that asked is lost, nobody
 * knows whether the call had its effect: it is not repeated, and the VM is told so.
 */
export class KeptRequests {
  constructor(
    private readonly store: RequestStore,
    private readonly now: () => number,
    private readonly log: Pick<Log, 'warn'>,
    private readonly pollMs = POLL_MS,
    private readonly keepWaitMs = KEEP_WAIT_MS,
  ) {}

  /** Asks once, whoever is asked how often; `ask` must not reject. */
  once(key: RequestKey, ask: () => Promise<Answer>): Asked {
    const limit = AbortSignal.timeout(STORE_LIMIT_MS);
    const claimed = this.claim(key, limit);
    const answer = claimed.then(
      (isFirst) => (isFirst ? this.askAndKeep(key, ask) : this.follow(key)),
      // Nothing was asked yet, so nothing has happened.
      () => failure('UNAVAILABLE', 'the request could not be noted and was not carried out; ask again'),
    );
    return { answer, safe: claimed.catch(() => answer) };
  }

  /** What is known of a request that was asked on another gateway. */
  find(key: RequestKey, signal: AbortSignal): Promise<KeptRequest | undefined> {
    return persist(() => this.store.read(key), signal);
  }

  /** Waits for the answer of a request that somebody claimed. */
  async follow(key: RequestKey, signal: AbortSignal = AbortSignal.timeout(CLAIM_MS)): Promise<Answer> {
    const lost = failure('TIMEOUT', 'the gateway that asked is gone; the call may have had its effect and is not repeated');
    try {
      for (;;) {
        const kept = await this.find(key, signal);
        if (kept?.state === 'done') return kept.answer;
        if (kept === undefined || this.now() - kept.at > CLAIM_MS) return lost;
        await pause(this.pollMs, signal);
      }
    } catch (error) {
      this.log.warn({ error, vmId: key.vmId }, 'the answer to a request of a VM could not be waited for');
      return lost;
    }
  }

  private async claim(key: RequestKey, signal: AbortSignal): Promise<boolean> {
    const by = ulid();
    if (await persist(() => this.store.claim(key, { state: 'pending', at: this.now(), by }), signal)) return true;
    // An attempt whose receipt was lost may have been the first.
    const kept = await this.find(key, signal);
    return kept?.state === 'pending' && kept.by === by;
  }

  private async askAndKeep(key: RequestKey, ask: () => Promise<Answer>): Promise<Answer> {
    const answer = await ask();
    // Kept before the VM hears of it, as a rule; but a store that is away does not cost it the answer.
    const enough = new AbortController();
    await Promise.race([this.keep(key, answer), pause(this.keepWaitMs, enough.signal).catch(() => undefined)]);
    enough.abort();
    return answer;
  }

  /** Never rejects. */
  private async keep(key: RequestKey, answer: Answer): Promise<void> {
    try {
      await persist(() => this.store.settle(key, { state: 'done', answer }), AbortSignal.timeout(STORE_LIMIT_MS));
    } catch (error) {
      // Too large for the store, or that is away: the VM gets it from here; on another gateway it would hear that the answer is lost.
      this.log.warn({ error, vmId: key.vmId }, 'the answer to a request of a VM could not be kept for a resend elsewhere');
    }
  }
}

export function failure(code: 'UNAVAILABLE' | 'TIMEOUT' | 'QUEUE_FULL', message: string): Answer {
  return { result: null, error: { code: errors.create(code).code, message } };
}
