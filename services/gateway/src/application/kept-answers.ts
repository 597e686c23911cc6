import { createHash } from 'node:crypto';
import { errors, plexusError } from '@plexus/contracts';
import { PlexusError, stableStringify } from '@plexus/kernel';
import type { Log } from './ports.js';

/** One write of one caller. */
export interface KeyedWrite {
  readonly tenant: string;
  readonly user: string;
  /** Method and path. */
  readonly target: string;
  /** As the caller chose it. */
  readonly key: string;
  readonly input: unknown;
  /** Doing it again after a failure has no second effect; so a failure frees the key. */
  readonly repeatable?: boolean;
}

/** What is kept of it: that it was begun, then how it ended. */
export type KeptAnswer = { readonly input: string } & (
  | { readonly state: 'pending'; readonly at: number }
  | { readonly state: 'done'; readonly answer: unknown }
  | { readonly state: 'failed'; readonly code: string; readonly message: string; readonly details?: Record<string, unknown> }
);

/** Where answers are kept for some minutes, for every gateway to find. */
export interface AnswerStore {
  /** False when somebody wrote the name before. */
  claim(name: string, kept: KeptAnswer): Promise<boolean>;
  read(name: string): Promise<KeptAnswer | undefined>;
  settle(name: string, kept: KeptAnswer): Promise<void>;
  release(name: string): Promise<void>;
}

/** Larger answers are not told again. */
const MAX_ANSWER_CHARACTERS = 256 * 1024;
const ASK_AGAIN_MS = 1_000;
/** These say that nothing has happened: the same key may be tried again. */
const NO_EFFECT = new Set(['NO_RESPONDERS', 'RATE_LIMITED', 'QUEUE_FULL', 'QUOTA_EXCEEDED']);

/**
 * One effect per Idempotency-Key: the first gateway that is asked claims the key before it acts; the same key again, anywhere, gets the kept answer,
 * or hears that the first is still going on. The same key for other input is a CONFLICT. A failure whose effect nobody knows is kept and
 * told again; one that had none frees the key.
 */
export class KeptAnswers {
  constructor(
    private readonly store: AnswerStore,
    private readonly now: () => number,
    private readonly log: Pick<Log, 'warn'>,
  ) {}

  async once(write: KeyedWrite, act: () => Promise<unknown>): Promise<{ readonly answer: unknown; readonly replayed: boolean }> {
    const name = nameOf(write);
    const input = hashed(stableStringify(write.input ?? null));
    if (!(await this.store.claim(name, { state: 'pending', input, at: this.now() }))) return { answer: await this.kept(name, input), replayed: true };
    let answer: unknown;
    try {
      answer = await act();
    } catch (error) {
      await this.failed(name, input, error, write.repeatable === true);
      throw error;
    }
    const isSmall = (JSON.stringify(answer ?? null) ?? '').length <= MAX_ANSWER_CHARACTERS;
    const failure = { state: 'failed', input, code: 'CONFLICT', message: 'it was done; the answer is too large to be told again' } as const;
    await this.keep(name, isSmall ? { state: 'done', input, answer: answer ?? null } : failure);
    return { answer, replayed: false };
  }

  private async kept(name: string, input: string): Promise<unknown> {
    const kept = await this.store.read(name);
    if (kept === undefined) throw plexusError('CONFLICT', { message: 'the request with this Idempotency-Key has just failed; send it again' });
    if (kept.input !== input) throw plexusError('CONFLICT', { message: 'this Idempotency-Key was used for another request' });
    if (kept.state === 'done') return kept.answer;
    if (kept.state === 'failed') throw errors.create(kept.code as never, { message: kept.message, ...(kept.details && { details: kept.details }) });
    throw plexusError('CONFLICT', {
      message: 'the request with this Idempotency-Key is going on, or was cut off: then nobody knows whether it had its effect',
      details: { retryAfterMs: ASK_AGAIN_MS },
    });
  }

  private async failed(name: string, input: string, cause: unknown, isRepeatable: boolean): Promise<void> {
    const { code, message, details, status } = PlexusError.isPlexusError(cause) ? cause : errors.create('INTERNAL');
    // What was refused had no effect; of anything else from behind (a timeout) nobody knows.
    if (isRepeatable || status < 500 || NO_EFFECT.has(code)) await this.release(name);
    else await this.keep(name, { state: 'failed', input, code, message, ...(details && { details }) });
  }

  /** Never rejects: the effect is there, and its answer is for the caller. */
  private async keep(name: string, kept: KeptAnswer): Promise<void> {
    try {
      await this.store.settle(name, kept);
    } catch (error) {
      this.log.warn({ error }, 'the answer to a write with an Idempotency-Key could not be kept');
    }
  }

  private async release(name: string): Promise<void> {
    try {
      await this.store.release(name);
    } catch (error) {
      this.log.warn({ error }, 'an Idempotency-Key could not be freed');
    }
  }
}

function nameOf({ tenant, user, target, key }: KeyedWrite): string {
  return `http.${hashed(JSON.stringify([tenant, user, target, key]))}`;
}

function hashed(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
