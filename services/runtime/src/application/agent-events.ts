import { BoundedQueue, type Clock, type Timer } from '@plexus/kernel';
import type { Log } from './ports.js';

/** `lifecycle`, `tool`, `assistant`, `error`, or a name of your own. */
export type AgentStream = string;

/** What is known of a run beside its events. */
export interface RunContext {
  readonly sessionKey?: string;
  readonly verbosity?: string;
  readonly isHeartbeat?: boolean;
  /** False: its events are hidden, for listeners that show things. True unless said otherwise. */
  readonly isUiVisible?: boolean;
  /** What started the run: `user`, `cron`, `channel`… */
  readonly source?: string;
}

export interface NewAgentEvent {
  readonly runId: string;
  readonly stream: AgentStream;
  readonly data?: unknown;
  /** Counts before that of the run's context; a blank one does not. */
  readonly sessionKey?: string;
  /** The last event of its run. */
  readonly isTerminal?: boolean;
}

export interface AgentEvent extends NewAgentEvent {
  /** Per run, from 1, without a gap. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly ts: number;
  readonly hidden: boolean;
  readonly context: RunContext;
}

export type AgentEventListener = (event: AgentEvent) => unknown;

export interface AgentEventBusOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Newest events that are remembered; 0: none. */
  readonly ringCapacity?: number;
  /** How long a run is remembered after its terminal event, so that a late emit is still known to be late. */
  readonly keepEndedMs?: number;
}

/** A subscriber that reads at its own pace. What it is too slow for is dropped and counted, never awaited. */
export interface EventQueue extends AsyncIterable<AgentEvent> {
  readonly dropped: number;
  /** Ends the subscription; what is queued can still be read. */
  close(): void;
}

interface RunState {
  seq: number;
  context: RunContext;
  ended: boolean;
  forget?: Timer;
}

const RING_CAPACITY = 400;
const KEEP_ENDED_MS = 600_000;
const QUEUE_CAPACITY = 1_000;
/** At most one log line about failing listeners in this time; the counter has them all. */
const LOG_EVERY_MS = 60_000;
/** Events that listeners may bring about while one is told; a listener that answers each with another would never end. */
const MAX_CHAIN = 1_000;

interface Told {
  readonly event: AgentEvent;
  readonly listeners: readonly (readonly [symbol, AgentEventListener])[];
}

/** Events of agents within one process: numbered per run, told to listeners at once and in order, remembered for a while. */
export class AgentEventBus {
  readonly #runs = new Map<string, RunState>();
  readonly #listeners = new Map<symbol, AgentEventListener>();
  readonly #ring: AgentEvent[] = [];
  readonly #ringCapacity: number;
  /** What is to be told yet, while something is being told; undefined: nothing is. */
  #telling: Told[] | undefined;
  #failures = 0;
  #rejected = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: AgentEventBusOptions) {
    const capacity = options.ringCapacity ?? RING_CAPACITY;
    if (!Number.isInteger(capacity) || capacity < 0) throw new RangeError(`the ring of events needs a capacity of 0 or more, got ${capacity}`);
    this.#ringCapacity = capacity;
  }

  /** Errors of listeners so far, those of asynchronous ones included. */
  get failures(): number {
    return this.#failures;
  }

  /** Events that were refused, nearly always because their run had ended. */
  get rejected(): number {
    return this.#rejected;
  }

  /** Runs that are remembered. */
  get runs(): number {
    return this.#runs.size;
  }

  /** Adds to what is known of a run, field by field; undefined changes nothing. */
  register(runId: string, context: RunContext): void {
    const known = Object.fromEntries(Object.entries(context).filter(([, value]) => value !== undefined));
    const run = this.#run(runId);
    run.context = { ...run.context, ...known };
  }

  /**
   * Numbers an event and tells it to everyone who listens now; from within a listener, as soon as all have heard the one before. Undefined: the
   * run has ended, nobody is told. Never throws.
   */
  emit(event: NewAgentEvent): AgentEvent | undefined {
    const run = this.#run(event.runId);
    if (run.ended || (this.#telling?.length ?? 0) > MAX_CHAIN) {
      this.#rejected += 1;
      const why = run.ended ? 'it came after the end of its run' : 'listeners answer each event with another';
      this.#logNow('an event of an agent was refused', { runId: event.runId, stream: event.stream, why, rejected: this.#rejected });
      return undefined;
    }
    run.seq += 1;
    const { sessionKey: own, ...rest } = event;
    const sessionKey = own?.trim() ? own : run.context.sessionKey;
    const told: AgentEvent = Object.freeze({
      ...rest,
      ...(sessionKey !== undefined && { sessionKey }),
      seq: run.seq,
      ts: this.options.clock.now(),
      hidden: run.context.isUiVisible === false,
      context: run.context,
    });
    if (event.isTerminal === true) this.#end(event.runId, run);
    this.#remember(told);
    // A listener may come or go while it is told: this event is for those who listened when it came.
    this.#tellAll({ event: told, listeners: [...this.#listeners] });
    return told;
  }

  /** Calls `listener` with every later event. The same function may listen more than once. Returns how to stop. */
  subscribe(listener: AgentEventListener): () => void {
    const key = Symbol('listener');
    this.#listeners.set(key, listener);
    return () => void this.#listeners.delete(key);
  }

  /** Later events as a queue, for who cannot keep up at once. */
  queue(capacity = QUEUE_CAPACITY): EventQueue {
    const queue = new BoundedQueue<AgentEvent>(capacity);
    const stop = this.subscribe((event) => queue.push(event));
    const close = (): void => {
      stop();
      queue.close();
    };
    return {
      get dropped() {
        return queue.dropped;
      },
      close,
      async *[Symbol.asyncIterator]() {
        try {
          yield* queue;
        } finally {
          close();
        }
      },
    };
  }

  /** The newest events, oldest first. */
  recent(): readonly AgentEvent[] {
    return [...this.#ring];
  }

  /** Stops the timers of ended runs and forgets listeners. */
  close(): void {
    for (const { forget } of this.#runs.values()) forget?.cancel();
    this.#runs.clear();
    this.#listeners.clear();
  }

  #run(runId: string): RunState {
    const known = this.#runs.get(runId);
    if (known !== undefined) return known;
    const run: RunState = { seq: 0, context: {}, ended: false };
    this.#runs.set(runId, run);
    return run;
  }

  #end(runId: string, run: RunState): void {
    run.ended = true;
    run.forget = this.options.clock.setTimeout(() => this.#runs.delete(runId), this.options.keepEndedMs ?? KEEP_ENDED_MS).unref();
  }

  #remember(event: AgentEvent): void {
    if (this.#ringCapacity === 0) return;
    this.#ring.push(event);
    if (this.#ring.length > this.#ringCapacity) this.#ring.shift();
  }

  /** One after the other: an event that a listener emits is told when everybody has heard the one before, so all hear one order. */
  #tellAll(told: Told): void {
    if (this.#telling !== undefined) {
      this.#telling.push(told);
      return;
    }
    this.#telling = [told];
    // Grows while it is read.
    for (const { event, listeners } of this.#telling) for (const [key, listener] of listeners) this.#tell(listener, event, key);
    this.#telling = undefined;
  }

  #tell(listener: AgentEventListener, event: AgentEvent, key: symbol): void {
    // Who unsubscribed while this event was told does not want it any more.
    if (!this.#listeners.has(key)) return;
    try {
      const answer = listener(event);
      if (isThenable(answer)) Promise.resolve(answer).catch((error: unknown) => this.#failed(error, event));
    } catch (error) {
      this.#failed(error, event);
    }
  }

  #failed(error: unknown, { runId, stream, seq }: AgentEvent): void {
    this.#failures += 1;
    this.#logNow('a listener of agent events failed', { runId, stream, seq, failures: this.#failures, error });
  }

  #logNow(message: string, fields: Record<string, unknown>): void {
    const now = this.options.clock.monotonic();
    if (now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = now;
    this.options.log('warn', message, fields);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
