import { sampledTrace, TokenBucket, type VmFrameOf } from '@plexus/vm-protocol';
import type { VmIdentity, VmServices } from './vm-ports.js';

/** Traces that one incarnation may speak of; the oldest is forgotten first. */
const MAX_TRACES = 512;
/** What a VM may report at once after a silence. */
const BURST_SECONDS = 10;
/** Spans that one frame may say were lost. */
const MOST_LOST = 10_000;
/** A clock that is further off than a day makes spans that nobody finds. */
const CLOCK_LIMIT_MS = 86_400_000;

/**
 * The traces of the messages that one incarnation was given, and the spans that it reports of them. Ids of traces are 128 random bits, and a VM may
 * name only those that it was handed itself: it cannot put anything into the trace of somebody else, nor make up a trace of its own.
 */
export class VmTraces {
  private readonly known = new Set<string>();
  private rate: TokenBucket | undefined;

  constructor(private readonly services: Pick<VmServices, 'tracing' | 'monotonic' | 'now'>) {}

  /** The `traceparent` of a message that goes to the VM. Anything else is passed over. */
  learn(traceparent: unknown): void {
    const trace = sampledTrace(traceparent);
    if (trace === undefined) return;
    this.known.delete(trace.traceId);
    this.known.add(trace.traceId);
    if (this.known.size > MAX_TRACES) this.known.delete(this.known.values().next().value as string);
  }

  /** Reads a frame on its way to the VM. */
  learnFrom(frame: Readonly<Record<string, unknown>>): void {
    if (frame.type !== 'user_message') return;
    const { metadata } = (frame.data ?? {}) as { metadata?: { traceparent?: unknown } };
    this.learn(metadata?.traceparent);
  }

  /** Whether the VM may speak of that trace. */
  knows(traceparent: string | undefined): traceparent is string {
    const trace = sampledTrace(traceparent);
    return trace !== undefined && this.known.has(trace.traceId);
  }

  /** Records what the VM reports and may; the rest is dropped and counted. */
  report(identity: VmIdentity, { spans, dropped = 0 }: VmFrameOf<'spans'>): void {
    const { tracing } = this.services;
    // It is the VM's own word: one that lies must not make the counter of everybody worthless.
    if (dropped > 0) tracing.dropped(Math.min(dropped, MOST_LOST), 'vm-lost');
    let foreign = 0;
    let tooMany = 0;
    for (const span of spans) {
      if (!this.known.has(span.trace_id) || Math.abs(this.services.now() - span.start_ms) > CLOCK_LIMIT_MS) foreign += 1;
      else if (!this.mayReport()) tooMany += 1;
      else tracing.record(identity, span);
    }
    if (foreign > 0) tracing.dropped(foreign, 'vm-unknown-trace');
    if (tooMany > 0) tracing.dropped(tooMany, 'vm-rate');
  }

  private mayReport(): boolean {
    const { perSecond } = this.services.tracing;
    if (perSecond <= 0) return false;
    this.rate ??= new TokenBucket(perSecond, perSecond * BURST_SECONDS);
    return this.rate.take(this.services.monotonic());
  }
}
