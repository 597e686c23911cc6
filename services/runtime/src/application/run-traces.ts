import { randomBytes } from 'node:crypto';
import type { Clock } from '@plexus/kernel';
import { type MeshFrameOf, sampledTrace, TokenBucket, type VmSpan } from '@plexus/vm-protocol/link';

/** What a span says beside its ids and times. */
export type SpanFields = Partial<Omit<VmSpan, 'trace_id' | 'span_id' | 'parent_span_id' | 'op' | 'start_ms' | 'duration_ms' | 'error'>>;

/** Whose spans they are. */
export interface TracedRun {
  readonly sessionId: string;
  readonly runId: string;
}

/** A span that has begun. */
export interface OpenSpan {
  /** For what is asked of the mesh within it. */
  readonly traceparent: string;
  child(op: VmSpan['op'], fields: SpanFields): OpenSpan;
  /** What is known only later. */
  set(fields: SpanFields): void;
  /** The first call counts. `error`: a stable code. */
  end(error?: string): void;
}

/** Spans that wait; more are dropped and counted. */
const MAX_WAITING = 256;
const PER_FRAME = 64;
/** Runs that can be traced at the same time; those beyond it have no spans. */
const MAX_RUNS = 1_000;
const LABEL_LENGTH = 128;
const LABELS = ['agent', 'model', 'provider', 'tool', 'call_id', 'server'] as const;
const CODE = /^[A-Za-z0-9_.-]{1,64}$/;

/**
 * The spans of runs whose message came with a `traceparent` that is recorded: a few lines instead of an SDK, because every byte here is there once
 * per VM. They go to the mesh as lossy frames, and only when it has said that it takes them. Nothing in them is content.
 */
export class RunTraces {
  private readonly runs = new Map<string, OpenSpan>();
  private readonly waiting: VmSpan[] = [];
  private dropped = 0;
  private rate: TokenBucket | undefined;

  constructor(private readonly clock: Clock) {}

  /** Learns from the first frame of a connection whether spans are wanted, and how many. */
  accept({ limits }: Pick<MeshFrameOf<'init'>, 'limits'>): void {
    const perSecond = limits?.spans_per_second;
    if (typeof perSecond !== 'number' || !(perSecond > 0)) {
      this.rate = undefined;
      this.waiting.length = 0;
    } else this.rate = new TokenBucket(perSecond, MAX_WAITING);
  }

  /** Begins the span of a run; undefined where its trace is not recorded. The caller ends it. */
  begin(run: TracedRun, agent: string, traceparent: string | undefined): OpenSpan | undefined {
    const parent = this.rate === undefined ? undefined : sampledTrace(traceparent);
    if (parent === undefined || this.runs.size >= MAX_RUNS) return undefined;
    const key = keyOf(run);
    const span = this.open(parent.traceId, parent.spanId, 'run', { session_id: run.sessionId, run_id: run.runId, agent });
    this.runs.set(key, span);
    const end = (error?: string): void => {
      this.runs.delete(key);
      span.end(error);
    };
    return { ...span, end };
  }

  /** Begins a span within a run; undefined for one that is not traced. */
  within(run: Partial<TracedRun>, op: VmSpan['op'], fields: SpanFields): OpenSpan | undefined {
    const { sessionId, runId } = run;
    if (this.runs.size === 0 || sessionId === undefined || runId === undefined) return undefined;
    return this.runs.get(keyOf({ sessionId, runId }))?.child(op, fields);
  }

  /** The next frame for the mesh; undefined when there is nothing to tell. What is taken is told or lost. */
  take(): { readonly type: 'spans'; readonly spans: readonly VmSpan[]; readonly dropped?: number } | undefined {
    if (this.waiting.length === 0 && this.dropped === 0) return undefined;
    const spans = this.waiting.splice(0, PER_FRAME);
    const dropped = this.dropped;
    this.dropped = 0;
    return { type: 'spans', spans, ...(dropped > 0 && { dropped }) };
  }

  private open(traceId: string, parentSpanId: string, op: VmSpan['op'], fields: SpanFields): OpenSpan {
    const spanId = randomBytes(8).toString('hex');
    const startMs = this.clock.now();
    const began = this.clock.monotonic();
    const all: SpanFields = { ...fields };
    let ended = false;
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      child: (childOp, childFields) => this.open(traceId, spanId, childOp, childFields),
      set: (more) => void Object.assign(all, more),
      end: (error) => {
        if (ended) return;
        ended = true;
        const ids = { trace_id: traceId, span_id: spanId, parent_span_id: parentSpanId };
        const code = error === undefined ? {} : { error: CODE.test(error) ? error : 'ERROR' };
        this.keep({ ...ids, op, start_ms: startMs, duration_ms: Math.max(0, this.clock.monotonic() - began), ...bounded(all), ...code });
      },
    };
  }

  private keep(span: VmSpan): void {
    if (this.waiting.length < MAX_WAITING && this.rate?.take(this.clock.monotonic()) === true) this.waiting.push(span);
    else this.dropped += 1;
  }
}

const keyOf = ({ sessionId, runId }: TracedRun): string => `${sessionId}\n${runId}`;

/** What a tool or a model is called may be longer than a span may say; what is empty is left out. */
function bounded(fields: SpanFields): SpanFields {
  const fitting = { ...fields };
  for (const name of LABELS) {
    const value = fitting[name];
    if (value === undefined || value === '') delete fitting[name];
    else fitting[name] = value.slice(0, LABEL_LENGTH);
  }
  return fitting;
}
