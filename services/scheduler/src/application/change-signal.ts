/** Lets callers of this process wait until something happened to a VM. Signals are lossy: whoever waits looks again after a time limit. */
export class ChangeSignal {
  private readonly waiting = new Map<string, Set<() => void>>();

  notify(vmId: string): void {
    const waiters = this.waiting.get(vmId);
    if (waiters === undefined) return;
    this.waiting.delete(vmId);
    for (const wakeUp of waiters) wakeUp();
  }

  /** Settles with the next signal, after `ms`, or when `signal` aborts. Never rejects. */
  wait(vmId: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        const waiters = this.waiting.get(vmId);
        waiters?.delete(finish);
        if (waiters?.size === 0) this.waiting.delete(vmId);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      const waiters = this.waiting.get(vmId) ?? new Set();
      this.waiting.set(vmId, waiters.add(finish));
      signal.addEventListener('abort', finish, { once: true });
      if (signal.aborted) finish();
    });
  }
}
