/**
 * For what is looked at periodically: a look that comes much later than it should tells of a process that stood still, and what arrived meanwhile is not read
 * yet. Such a look is spared, but never two in a row: a process that is late all the time has read it by the next one, and gives up as any other.
 */
export class LateLook {
  private lookedAt = performance.now();
  private spared = false;

  /** `stalledMs`: how far apart two looks may be at most. */
  constructor(private readonly stalledMs: number) {}

  /** Looks begin (again) now. */
  begin(): void {
    this.lookedAt = performance.now();
  }

  /** A look at `now` (`performance.now()`): whether it is to be spared. */
  isSpared(now: number): boolean {
    this.spared = !this.spared && now - this.lookedAt > this.stalledMs;
    this.lookedAt = now;
    return this.spared;
  }
}
