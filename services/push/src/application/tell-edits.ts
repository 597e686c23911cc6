import type { InboxHints, InboxStore, Owner } from './ports.js';

/** More users than this do not wait to be told: they see it with their next look. */
const MAX_WAITING = 10_000;

/**
 * Tells connections that items of theirs were edited (repeated, resolved). Edits come in bursts, so what is new while one is told is told
 * together, and nobody who decides waits for it.
 */
export class TellEdits {
  readonly #waiting = new Map<string, { readonly owner: Owner; readonly ids: Set<string> }>();
  #running: Promise<void> | undefined;

  constructor(
    private readonly store: Pick<InboxStore, 'changesOf'>,
    private readonly hints: Pick<InboxHints, 'itemsChanged'>,
    private readonly onLost: (error: unknown) => void,
  ) {}

  edited(owner: Owner, deliveryId: string): void {
    const key = `${owner.tenant}\n${owner.user}`;
    const known = this.#waiting.get(key);
    if (known !== undefined) known.ids.add(deliveryId);
    else if (this.#waiting.size < MAX_WAITING) this.#waiting.set(key, { owner, ids: new Set([deliveryId]) });
    this.#running ??= this.#tellAll().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when everything that waits was told. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #tellAll(): Promise<void> {
    // What was edited in this turn of the event loop goes together.
    await Promise.resolve();
    for (const [key, { owner, ids }] of this.#waiting) {
      this.#waiting.delete(key);
      try {
        this.hints.itemsChanged(owner.tenant, owner.user, await this.store.changesOf(owner, [...ids]));
      } catch (error) {
        this.onLost(error);
      }
    }
  }
}
