/** What a tenant may spend on one channel. */
export interface Spending {
  readonly perMinute: number;
  readonly concurrent: number;
}

export type Permit =
  | { readonly ok: true; readonly release: () => void /** Nothing was tried: what it took is there again. */; readonly giveBack: () => void }
  | { readonly ok: false; readonly afterMs: number };

interface Account {
  tokens: number;
  filledAt: number;
  running: number;
  /** The last moment that was given to somebody who has to wait. */
  promisedAt: number;
}

const MINUTE = 60_000;
/** Ten seconds' worth may be spent at once. */
const BURST_SECONDS = 10;
/** How long a place among those at the same time is waited for before asking again. */
const BUSY_MS = 500;
/** Nobody is sent away for longer. */
const LONGEST_MS = MINUTE;
const MAX_ACCOUNTS = 10_000;

/** Rate (a bucket of tokens) and number at the same time, for each tenant and channel. Time comes in as an argument. */
export class ChannelBudget {
  readonly #accounts = new Map<string, Account>();

  /** Takes a place and a token, or says when to ask again. Every permit must be released. `now` in milliseconds, never going back. */
  take(key: string, { perMinute, concurrent }: Spending, now: number): Permit {
    const account = this.#account(key, capacity(perMinute), now);
    account.tokens = Math.min(capacity(perMinute), account.tokens + ((now - account.filledAt) * perMinute) / MINUTE);
    account.filledAt = now;
    const full = account.running >= concurrent;
    if (full || account.tokens < 1) return { ok: false, afterMs: waiting(account, full ? BUSY_MS : MINUTE / perMinute, perMinute, now) };
    account.tokens -= 1;
    account.running += 1;
    let released = false;
    const release = (): void => {
      if (!released) account.running -= 1;
      released = true;
    };
    const giveBack = (): void => {
      if (!released) account.tokens += 1;
      release();
    };
    return { ok: true, release, giveBack };
  }

  #account(key: string, full: number, now: number): Account {
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    if (this.#accounts.size >= MAX_ACCOUNTS) this.#forgetIdle();
    const account = { tokens: full, filledAt: now, running: 0, promisedAt: now };
    this.#accounts.set(key, account);
    return account;
  }

  /** Half of those that nobody uses at the moment, oldest first. */
  #forgetIdle(): void {
    let left = MAX_ACCOUNTS / 2;
    for (const [key, { running }] of this.#accounts) {
      if (running > 0) continue;
      this.#accounts.delete(key);
      left -= 1;
      if (left === 0) return;
    }
  }
}

/** Each of those who wait is given a moment of his own: a thousand that came back at once would mostly be sent away again. */
function waiting(account: Account, leastMs: number, perMinute: number, now: number): number {
  const next = Math.max(account.promisedAt + MINUTE / perMinute, now + leastMs);
  if (next - now > LONGEST_MS) return LONGEST_MS;
  account.promisedAt = next;
  return Math.ceil(next - now);
}

function capacity(perMinute: number): number {
  return Math.max(1, (perMinute * BURST_SECONDS) / 60);
}
