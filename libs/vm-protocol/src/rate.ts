import { LIMITS } from './limits.js';

/** Token bucket over a clock that is passed in (milliseconds): `perSecond` on average, `burst` at once. */
export class TokenBucket {
  private tokens: number;
  private at: number | undefined;

  constructor(
    private readonly perSecond: number = LIMITS.framesPerSecond,
    private readonly burst: number = LIMITS.frameBurst,
  ) {
    this.tokens = burst;
  }

  /** Takes one token; false = over the limit. */
  take(now: number): boolean {
    const elapsed = Math.max(0, now - (this.at ?? now));
    this.tokens = Math.min(this.burst, this.tokens + (elapsed * this.perSecond) / 1_000);
    this.at = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}

/** Counts bad frames in a sliding window; at the limit the connection is closed with 4400. */
export class BadFrameBudget {
  private readonly times: number[] = [];
  /** Bad frames since the connection began. */
  total = 0;

  constructor(
    private readonly limit: number = LIMITS.badFrames,
    private readonly windowMs: number = LIMITS.badFrameWindowMs,
  ) {}

  /** Notes one bad frame; true = the limit is reached. */
  note(now: number): boolean {
    this.total++;
    this.times.push(now);
    while (this.times.length > 0 && now - (this.times[0] as number) >= this.windowMs) this.times.shift();
    return this.times.length >= this.limit;
  }
}
