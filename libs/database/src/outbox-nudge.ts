import type { Database } from './database.js';

/**
 * Tells the relay that holds the lock, wherever it runs, that rows were committed. Sent after the commit on a pooled connection and at most
 * one at a time: a notification inside each transaction would make all commits of the database wait for one another.
 */
export class OutboxNudge {
  readonly channel: string;
  readonly #database: Database;
  #sending: Promise<void> | undefined;
  #again = false;

  constructor(database: Database) {
    this.#database = database;
    this.channel = `plexus_outbox_${database.schema}`.slice(0, 63);
  }

  send(): void {
    if (this.#sending) {
      this.#again = true;
      return;
    }
    this.#sending = this.#notify().finally(() => {
      this.#sending = undefined;
      if (this.#again) {
        this.#again = false;
        this.send();
      }
    });
  }

  async settled(): Promise<void> {
    while (this.#sending) await this.#sending;
  }

  async #notify(): Promise<void> {
    try {
      await this.#database.query('plexus_outbox_nudge', 'SELECT pg_notify($1, $2)', [this.channel, '']);
    } catch {
      // Only a hint: the relay looks by itself every idleMs, and an unreachable database is reported by whoever needs its answer.
    }
  }
}
