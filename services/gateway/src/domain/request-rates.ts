import { isLoopback } from './failure-limit.js';

/** So many requests per second on average, and so many at once. */
export interface RateRule {
  readonly perSecond: number;
  readonly burst: number;
}

/** Callers remembered; whoever was longest silent makes room. */
const CAPACITY = 20_000;

/** A token bucket per name, of which only the moment is kept at which it would be full again. */
export class RequestRates {
  private readonly fullAt = new Map<string, number>();

  constructor(private readonly capacity = CAPACITY) {}

  get size(): number {
    return this.fullAt.size;
  }

  /** Takes one request out of the bucket: 0; or says in how many ms there is one again. */
  take(name: string, rule: RateRule, now: number): number {
    const interval = 1_000 / rule.perSecond;
    const full = Math.max(this.fullAt.get(name) ?? now, now);
    const waitMs = full + interval - now - rule.burst * interval;
    if (waitMs > 1e-6) return Math.ceil(waitMs);
    this.fullAt.delete(name);
    this.fullAt.set(name, full + interval);
    if (this.fullAt.size > this.capacity) this.fullAt.delete(this.fullAt.keys().next().value as string);
    return 0;
  }
}

export interface HttpRateRules {
  readonly user: RateRule;
  readonly address: RateRule;
  /** What the tenant allows one of its users, or undefined. */
  readonly requestsPerMinute: (tenant: string) => number | undefined;
}

/** How often one address and one user may ask over HTTP. Loopback is exempt from both. */
export class HttpRates {
  private readonly addresses = new RequestRates();
  private readonly users = new RequestRates();

  constructor(
    private readonly rules: HttpRateRules,
    /** A clock that never goes back, ms. */
    private readonly now: () => number,
  ) {}

  /** Ms to wait; 0: it may. */
  ofAddress(address: string): number {
    return isLoopback(address) ? 0 : this.addresses.take(address, this.rules.address, this.now());
  }

  ofUser(tenant: string, user: string, address: string): number {
    if (isLoopback(address)) return 0;
    const perMinute = this.rules.requestsPerMinute(tenant);
    const { user: rule } = this.rules;
    const own = perMinute === undefined ? rule : { perSecond: perMinute / 60, burst: Math.min(perMinute, rule.burst) };
    return this.users.take(`${tenant}\u0000${user}`, own, this.now());
  }
}
