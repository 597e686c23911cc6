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
    const waitMs = this.waitFor(name, rule, now);
    if (waitMs === 0) this.charge(name, rule, now, 1);
    return waitMs;
  }

  /** In how many ms there is one in the bucket; 0: now. */
  waitFor(name: string, rule: RateRule, now: number): number {
    const interval = 1_000 / rule.perSecond;
    const full = Math.max(this.fullAt.get(name) ?? now, now);
    const waitMs = full + interval - now - rule.burst * interval;
    return waitMs > 1e-6 ? Math.ceil(waitMs) : 0;
  }

  /** Takes so much out of the bucket. One thing may be larger than what is left, or than all of it: then it takes longer until there is something again. */
  charge(name: string, rule: RateRule, now: number, cost: number): void {
    const full = Math.max(this.fullAt.get(name) ?? now, now);
    this.fullAt.delete(name);
    this.fullAt.set(name, full + (cost * 1_000) / rule.perSecond);
    if (this.fullAt.size > this.capacity) this.fullAt.delete(this.fullAt.keys().next().value as string);
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

/** Why somebody has to wait, and for how long. */
export interface RateExcess {
  readonly whose: 'user' | 'tenant';
  readonly what: 'requests' | 'bytes';
  readonly waitMs: number;
}

/** Per second, on average; 0: no limit. */
export interface UsageRates {
  readonly userRequests: number;
  readonly userBytes: number;
  readonly tenantRequests: number;
  readonly tenantBytes: number;
}

/** What may come at once: as much as in so many seconds. */
const BURST_SECONDS = 5;

/** What one user, and what all users of one tenant together, may send to one gateway, by whatever connections and requests. Loopback is exempt. */
export class UsageLimits {
  private readonly users = { requests: new RequestRates(), bytes: new RequestRates() };
  private readonly tenants = { requests: new RequestRates(), bytes: new RequestRates() };

  constructor(
    private readonly rates: UsageRates,
    /** A clock that never goes back, ms. */
    private readonly now: () => number,
  ) {}

  /** Takes one request of so many bytes; or says why not. What is refused costs nothing. */
  take(who: { readonly tenant: string; readonly user: string; readonly address: string }, bytes: number): RateExcess | undefined {
    if (isLoopback(who.address)) return undefined;
    const user = `${who.tenant}\u0000${who.user}`;
    const { userRequests, userBytes, tenantRequests, tenantBytes } = this.rates;
    const checks = [
      [this.users.requests, user, userRequests, 1, 'user', 'requests'],
      [this.users.bytes, user, userBytes, bytes, 'user', 'bytes'],
      [this.tenants.requests, who.tenant, tenantRequests, 1, 'tenant', 'requests'],
      [this.tenants.bytes, who.tenant, tenantBytes, bytes, 'tenant', 'bytes'],
    ] as const;
    const now = this.now();
    for (const [rates, name, perSecond, , whose, what] of checks) {
      const waitMs = perSecond === 0 ? 0 : rates.waitFor(name, ruleOf(perSecond), now);
      if (waitMs > 0) return { whose, what, waitMs };
    }
    for (const [rates, name, perSecond, cost] of checks) if (perSecond > 0) rates.charge(name, ruleOf(perSecond), now, cost);
    return undefined;
  }
}

function ruleOf(perSecond: number): RateRule {
  return { perSecond, burst: perSecond * BURST_SECONDS };
}
