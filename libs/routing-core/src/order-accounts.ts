import { CLOSED_CIRCUIT, type CircuitOptions, type CircuitState, nextAttemptAt } from './circuit-breaker.js';
import { type HealthOptions, type HealthState, healthScore, UNKNOWN_HEALTH } from './health-window.js';

/** An account that could deliver, with what is known of it. */
export interface AccountStanding {
  readonly accountId: string;
  readonly circuit?: CircuitState | undefined;
  readonly health?: HealthState | undefined;
}

export interface RankedAccount {
  readonly accountId: string;
  readonly score: number;
  /** `probe`: its breaker is open and due for the one attempt that may close it; `blocked`: not before `retryAt`. */
  readonly standing: 'ready' | 'probe' | 'blocked';
  readonly retryAt?: number;
}

export interface OrderOptions extends CircuitOptions, HealthOptions {
  /** The account that the conversation runs through. It stays first while its breaker lets it, however well others do. */
  readonly preferred?: string | undefined;
}

/**
 * In which order to try accounts: the preferred one while it is not blocked, then accounts due for a probe (else a sick one would never
 * come back while another works), then by score, best first, equal scores in the order given; blocked ones last, the soonest first.
 */
export function orderAccounts(accounts: readonly AccountStanding[], now: number, options: OrderOptions = {}): RankedAccount[] {
  const ranked = accounts.map((account) => rank(account, now, options));
  const place = (account: RankedAccount): number => {
    if (account.standing === 'blocked') return 3;
    if (account.accountId === options.preferred) return 0;
    return account.standing === 'probe' ? 1 : 2;
  };
  return ranked.sort((one, other) => place(one) - place(other) || (one.retryAt ?? 0) - (other.retryAt ?? 0) || other.score - one.score);
}

function rank({ accountId, circuit = CLOSED_CIRCUIT, health = UNKNOWN_HEALTH }: AccountStanding, now: number, options: OrderOptions): RankedAccount {
  const score = healthScore(health, now, options);
  const retryAt = nextAttemptAt(circuit, options);
  if (retryAt === undefined) return { accountId, score, standing: 'ready' };
  return now >= retryAt ? { accountId, score, standing: 'probe' } : { accountId, score, standing: 'blocked', retryAt };
}
