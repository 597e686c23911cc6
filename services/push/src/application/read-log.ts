import type { LogInput } from '../domain/engine/types.js';

/** What of the log is read; every field that is given narrows it. */
export interface LogSelection {
  readonly tenant?: string;
  /** What concerns everybody (user `_`) of the tenant comes with it, because it changes their decisions. */
  readonly users?: readonly string[];
  /** Milliseconds at which the stream stored an input: `[from, to)`. */
  readonly from?: number;
  readonly to?: number;
  readonly parts?: readonly number[];
}

/** Reads the ordered log again, for replays. */
export interface LogReader {
  /**
   * Inputs in the order of the stream, up to what was stored when reading began. A message that is no valid input is left out, as the
   * decider leaves it out. Memory is bounded: at most a few hundred inputs are held ahead of the reader. Breaking off the loop ends the
   * reading at the server.
   */
  read(selection: LogSelection): AsyncIterable<LogInput>;
}
