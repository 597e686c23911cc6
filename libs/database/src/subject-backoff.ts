import { fullJitter } from '@plexus/kernel';

interface Blocked {
  attempts: number;
  until: number;
}

/**
 * Which subjects are not to be tried for a while. One message that can never be published (no stream takes its subject, too large) must not
 * stand in the way of all others; when everything fails it is the broker, and the first success forgives everybody.
 */
export class SubjectBackoff {
  readonly #blocked = new Map<string, Blocked>();
  readonly #backoff: { baseMs: number; capMs: number };

  constructor(backoff: { baseMs: number; capMs: number }) {
    this.#backoff = backoff;
  }

  get size(): number {
    return this.#blocked.size;
  }

  /** Returns how often it has failed in a row. */
  fail(subject: string, now: number): number {
    const attempts = (this.#blocked.get(subject)?.attempts ?? 0) + 1;
    this.#blocked.set(subject, { attempts, until: now + this.#backoff.baseMs / 2 + fullJitter(attempts, this.#backoff) });
    return attempts;
  }

  succeed(subject: string): void {
    this.#blocked.delete(subject);
  }

  forgiveAll(): void {
    for (const blocked of this.#blocked.values()) blocked.until = 0;
  }

  /** Subjects that are still waiting. */
  waiting(now: number): string[] {
    return [...this.#blocked].filter(([, blocked]) => blocked.until > now).map(([subject]) => subject);
  }
}
