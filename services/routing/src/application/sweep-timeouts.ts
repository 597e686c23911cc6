import { type Clock, fullJitter } from '@plexus/kernel';
import { runCancel, runEnded } from './outgoing.js';
import type { RoutingStore, SessionEvents, StoredRun } from './ports.js';

const BATCH = 20;
/** How long a replica may take to look at what it has claimed; afterwards another one may. */
const LEASE_MS = 30_000;
/** A timed-out run whose own end has not come back by then is ended again. */
const REPEAT_AFTER_MS = 60_000;
const FAILURE_BACKOFF = { baseMs: 1_000, capMs: 15_000 };

/**
 * Ends runs that have been silent for longer than their timeout. Silence is measured in the stream and not in the table, so that an outage of
 * this service looks like no silence of the run. The timeout is one more end in the session's stream: an earlier end still wins.
 */
export class SweepTimeouts {
  readonly #store: RoutingStore;
  readonly #events: SessionEvents;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #report: (error: unknown) => void;

  constructor(store: RoutingStore, events: SessionEvents, clock: Clock, newId: () => string, report: (error: unknown) => void) {
    this.#store = store;
    this.#events = events;
    this.#clock = clock;
    this.#newId = newId;
    this.#report = report;
  }

  /** Sweeps every `intervalMs` until `signal` aborts. Failures are reported and retried more slowly. */
  async run(intervalMs: number, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.sweep(signal);
        failures = 0;
      } catch (error) {
        failures += 1;
        this.#report(error);
      }
      const waitMs = intervalMs + (failures === 0 ? 0 : fullJitter(failures, FAILURE_BACKOFF));
      await this.#clock.sleep(waitMs, signal).catch(() => undefined); // cut short by the signal, which the loop looks at
    }
  }

  /** Looks at every run that is due now; returns how many were timed out. */
  async sweep(signal: AbortSignal): Promise<number> {
    let timedOut = 0;
    for (let due = await this.#claim(); due.length > 0 && !signal.aborted; due = due.length < BATCH ? [] : await this.#claim()) {
      for (const run of due) if (await this.#lookSafely(run)) timedOut += 1;
    }
    return timedOut;
  }

  #claim(): Promise<StoredRun[]> {
    return this.#store.claimDueRuns(BATCH, LEASE_MS);
  }

  /** One run that cannot be looked at must not keep the others from it; it is due again after its lease. */
  async #lookSafely(run: StoredRun): Promise<boolean> {
    try {
      return await this.#look(run);
    } catch (error) {
      this.#report(error);
      return false;
    }
  }

  async #look(run: StoredRun): Promise<boolean> {
    const found = await this.#store.findRunInSession(run.tenant, run.sessionId, run.runId);
    if (!found || found.position === undefined || found.run.status !== 'started') return false;
    const { end, lastEventAt } = await this.#events.readRun(run, found.position);
    const now = this.#clock.now();
    // An end that is there already only waits to be consumed.
    if (end || (lastEventAt && now - lastEventAt.getTime() < run.timeoutMs)) {
      await this.#store.noteActivity(run.id, end || !lastEventAt ? new Date(now) : lastEventAt);
      return false;
    }
    return this.#timeOut(run);
  }

  async #timeOut(run: StoredRun): Promise<boolean> {
    return this.#store.transaction(async (tx) => {
      if (!(await tx.postpone(run.id, REPEAT_AFTER_MS))) return false;
      const error = `The run produced nothing for ${run.timeoutMs} ms and was ended.`;
      const ended = runEnded(run, { type: 'execution_error', code: 'RUN_TIMEOUT', error });
      await tx.publish([{ ...ended, id: `${ended.id}:${this.#newId()}` }, runCancel(run, 'timeout', this.#newId())]);
      return true;
    });
  }
}
