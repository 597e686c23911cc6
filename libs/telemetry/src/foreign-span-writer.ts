import { type HrTime, type SpanContext, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { ForeignSpan } from './foreign-span.js';
import { INSTRUMENTATION_SCOPE } from './instruments.js';

/** Hands spans of other programs to these processors, which write them beside the spans of this process. */
export function foreignSpans(processors: readonly SpanProcessor[]): (span: ForeignSpan) => void {
  const resources = new Map<string, Resource>();
  const resourceOf = (service: string): Resource => {
    const resource = resources.get(service) ?? resourceFromAttributes({ 'service.name': service });
    resources.set(service, resource);
    return resource;
  };
  return (span) => {
    const readable = readableSpan(span, resourceOf(span.service));
    for (const processor of processors) processor.onEnd(readable);
  };
}

function readableSpan({ traceId, spanId, parentSpanId, startMs, durationMs, error, ...span }: ForeignSpan, resource: Resource): ReadableSpan {
  const contextOf = (id: string): SpanContext => ({ traceId, spanId: id, traceFlags: TraceFlags.SAMPLED });
  return {
    name: span.name,
    kind: span.kind,
    spanContext: () => contextOf(spanId),
    parentSpanContext: { ...contextOf(parentSpanId), isRemote: true },
    startTime: hrTime(startMs),
    endTime: hrTime(startMs + durationMs),
    duration: hrTime(durationMs),
    status: error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error },
    attributes: error === undefined ? span.attributes : { ...span.attributes, 'error.type': error },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: INSTRUMENTATION_SCOPE },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function hrTime(ms: number): HrTime {
  const seconds = Math.trunc(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
