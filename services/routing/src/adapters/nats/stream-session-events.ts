import type { Bus, OrderedMessage } from '@plexus/bus';
import { emptySessionStream, plexusError, readSessionEvent, type SessionStreamState, sessionContracts } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import { MAX_TEXT_BYTES } from '../../domain/text-limits.js';
import { steeredRunId } from '../../application/confirm-steer.js';
import type { RunReading, SessionEvents, StreamPosition } from '../../application/ports.js';

const STREAM = 'PLEXUS_EVT_SESSION';
/** Millions of events; the bus tells the server meanwhile that the delivery is being worked on. */
const READ_TIMEOUT_MS = 60_000;
/** More further messages than a session may have waiting; a runtime may claim any number. */
const MAX_TAKEN = 1_000;

/** Reads a session's subject back from the stream: the only place where the order of its events is certain. */
export class StreamSessionEvents implements SessionEvents {
  readonly #bus: Pick<Bus, 'readOrdered' | 'lastOnSubject'>;

  constructor(bus: Pick<Bus, 'readOrdered' | 'lastOnSubject'>) {
    this.#bus = bus;
  }

  async readRun(run: { tenant: string; sessionId: string; runId: string }, from: StreamPosition, upTo = Number.POSITIVE_INFINITY): Promise<RunReading> {
    const subject = sessionContracts.sessionEvent.subject(run.tenant, run.sessionId);
    const last = await this.#bus.lastOnSubject(STREAM, subject);
    // In a cluster the server that delivered an event may be ahead of the one that answers this. What was delivered is there: ask again, and do not
    // take "nothing so far" for "no end", because nobody delivers it a second time.
    if (Number.isFinite(upTo) && (!last || last.seq < upTo)) return { behind: true };
    if (!last) return {};
    // A stream that was rebuilt counts from the beginning again: what lies behind the position in time then lies before it in number.
    const rebuilt = last.seq < from.seq || upTo <= from.seq;
    const start = rebuilt ? { seq: 0, epoch: 0 } : from;
    if (last.seq <= start.seq) return {};
    const reader = new RunReader(run.runId, start.epoch, Math.min(upTo, last.seq));
    const reading = this.#bus.readOrdered(STREAM, { filter: subject, from: { startSeq: start.seq + 1 } }, (message) => reader.read(message), {
      onError: (error) => reader.fail(error),
    });
    try {
      return await timeout(reader.result, READ_TIMEOUT_MS);
    } finally {
      await reading.stop();
    }
  }
}

/** Folds the messages of one subject until the run's end or the last message of interest. */
class RunReader {
  readonly result: Promise<RunReading>;
  readonly #runId: string;
  readonly #upTo: number;
  #state: SessionStreamState;
  #lastEventAt: Date | undefined;
  readonly #tookAlong = new Set<string>();
  #finish: (reading: RunReading) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(runId: string, epoch: number, upTo: number) {
    this.#runId = runId;
    this.#upTo = upTo;
    this.#state = emptySessionStream(epoch);
    this.result = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#reject = reject;
    });
  }

  read(message: OrderedMessage): void {
    if (message.seq <= this.#upTo) this.#fold(message);
    if (message.seq >= this.#upTo) this.#finish({ lastEventAt: this.#lastEventAt });
  }

  #fold(message: OrderedMessage): void {
    const item = sessionContracts.sessionEvent.data.safeParse(dataOf(message));
    if (!item.success) return;
    const { state, verdict } = readSessionEvent(this.#state, item.data);
    this.#state = bounded(state);
    if (item.data.runId !== this.#runId || (verdict.kind !== 'event' && verdict.kind !== 'end')) return;
    this.#lastEventAt = new Date(message.time);
    if (verdict.kind === 'event') {
      this.#note(item.data.event);
      return;
    }
    const end = { end: verdict.end, position: { seq: message.seq, epoch: state.epoch } };
    this.#finish({ end, lastEventAt: this.#lastEventAt, tookAlong: [...this.#tookAlong] });
  }

  #note(event: { readonly type: string; readonly message_id?: unknown }): void {
    const taken = event.type === 'steer_accepted' ? steeredRunId(event.message_id) : undefined;
    if (taken !== undefined && this.#tookAlong.size < MAX_TAKEN) this.#tookAlong.add(taken);
  }

  fail(error: unknown): void {
    this.#reject(plexusError('UNAVAILABLE', { cause: error }));
  }
}

/** A run may stream without end; of its text only as much is held as a transcript keeps. */
function bounded(state: SessionStreamState): SessionStreamState {
  if (state.runs.every(({ text }) => text.length <= MAX_TEXT_BYTES)) return state;
  return { ...state, runs: state.runs.map((run) => ({ ...run, text: run.text.slice(0, MAX_TEXT_BYTES + 1) })) };
}

/** What is no event of ours was parked by the consumer that met it; here it is passed over. */
function dataOf(message: OrderedMessage): unknown {
  try {
    return message.json<{ data?: unknown }>().data;
  } catch {
    return undefined;
  }
}
