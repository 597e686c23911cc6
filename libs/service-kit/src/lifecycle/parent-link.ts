/** The IPC channel to the process that started this one, when there is one. */
export class ParentLink {
  readonly exists = typeof process.send === 'function';

  /** With `bound`, `onGone` is called once when the parent closes the channel or dies, also when it is dead already. */
  constructor(bound: boolean, onGone: () => void) {
    if (!this.exists || !bound) return;
    process.once('disconnect', onGone);
    if (!process.connected) onGone();
  }

  /** Sends a message; a parent that is gone cannot be told anything, and that is noticed by `disconnect`. */
  send(message: object): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  /** Lets the process end. */
  close(): void {
    if (process.connected) process.disconnect?.();
  }
}
