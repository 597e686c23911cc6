/** A doorbell: any number of rings before somebody waits count as one. */
export class WakeUp {
  #rung = false;
  #open: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#open?.();
  }

  /** Returns after a ring, after `ms`, or when `signal` aborts, whichever is first, and clears the ring. One waiter at a time. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const open = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', open);
          this.#open = undefined;
          resolve();
        };
        const timer = setTimeout(open, ms);
        signal.addEventListener('abort', open, { once: true });
        this.#open = open;
      });
    }
    this.#rung = false;
  }
}
