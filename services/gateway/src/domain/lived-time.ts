/**
 * The time in which this process ran, in ms from an arbitrary start. It is told of every turn of a loop; a turn that comes much later than it should was held
 * up (the process was stopped, collected garbage, or had no processor), and what others did meanwhile is not read yet: none of that turn counts. Of turns that
 * are held up one behind the other, each but the first counts as one in time: a process that is always late would wait for ever.
 */
export class LivedTime {
  private lived = 0;
  private last: number | undefined;
  private wasHeldUp = false;

  /** `turnMs`: how far apart turns are meant to be. One that takes `heldUpMs` more was held up. */
  constructor(
    private readonly turnMs: number,
    private readonly heldUpMs: number = Math.max(turnMs, 250),
  ) {}

  /** A turn; `now` is a clock that never goes back. */
  turn(now: number): { readonly lived: number; readonly heldUp: boolean } {
    const passed = now - (this.last ?? now);
    this.last = now;
    const heldUp = passed > this.turnMs + this.heldUpMs;
    if (!heldUp) this.lived += passed;
    else if (this.wasHeldUp) this.lived += this.turnMs;
    this.wasHeldUp = heldUp;
    return { lived: this.lived, heldUp };
  }
}
