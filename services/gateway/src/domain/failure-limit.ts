/** At most so many failed authentications of one address in the window; then it waits. */
export interface FailureRules {
  readonly failures: number;
  readonly windowMs: number;
  readonly penaltyMs: number;
  /** Addresses remembered; the oldest makes room. */
  readonly capacity: number;
}

export const FAILURE_RULES: FailureRules = { failures: 10, windowMs: 60_000, penaltyMs: 300_000, capacity: 10_000 };

interface Entry {
  readonly times: number[];
  blockedUntil: number;
}

/** Slows down addresses that guess credentials. Loopback is exempt: a broken local client must not lock its owner out. */
export class FailureLimit {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly rules: FailureRules = FAILURE_RULES) {}

  /** How long this address must wait, in ms; 0: it may try. */
  blockedFor(address: string, now: number): number {
    return Math.max(0, (this.entries.get(address)?.blockedUntil ?? 0) - now);
  }

  note(address: string, now: number): void {
    if (isLoopback(address)) return;
    const entry = this.entries.get(address) ?? { times: [], blockedUntil: 0 };
    this.entries.delete(address);
    this.entries.set(address, entry);
    while (entry.times.length > 0 && now - (entry.times[0] as number) >= this.rules.windowMs) entry.times.shift();
    entry.times.push(now);
    if (entry.times.length >= this.rules.failures) {
      entry.blockedUntil = now + this.rules.penaltyMs;
      entry.times.length = 0;
    }
    if (this.entries.size > this.rules.capacity) this.entries.delete(this.entries.keys().next().value as string);
  }
}

export function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || plain.startsWith('127.');
}
