import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

/** One span as a line of a span file. */
export interface SpanLine {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly service: string;
  /** Unix time in milliseconds, with fractions. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: 'unset' | 'ok' | 'error';
  readonly attributes: Attributes;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

const KINDS: Record<SpanKind, SpanLine['kind']> = {
  [SpanKind.INTERNAL]: 'internal',
  [SpanKind.SERVER]: 'server',
  [SpanKind.CLIENT]: 'client',
  [SpanKind.PRODUCER]: 'producer',
  [SpanKind.CONSUMER]: 'consumer',
};

const STATUS: Record<SpanStatusCode, SpanLine['status']> = {
  [SpanStatusCode.UNSET]: 'unset',
  [SpanStatusCode.OK]: 'ok',
  [SpanStatusCode.ERROR]: 'error',
};

/** The part of a finished span that people look at. */
export function spanLine(span: ReadableSpan, service: string): SpanLine {
  const { traceId, spanId } = span.spanContext();
  const of = span.resource.attributes['service.name'];
  return {
    traceId,
    spanId,
    ...(span.parentSpanContext && { parentSpanId: span.parentSpanContext.spanId }),
    name: span.name,
    kind: KINDS[span.kind],
    // Spans that a process hands on for another carry that one's name.
    service: typeof of === 'string' ? of : service,
    startMs: milliseconds(span.startTime),
    durationMs: milliseconds(span.duration),
    status: STATUS[span.status.code],
    attributes: span.attributes,
    links: span.links.map((link) => ({ traceId: link.context.traceId, spanId: link.context.spanId })),
  };
}

/** Microsecond resolution: more digits are noise. */
function milliseconds([seconds, nanoseconds]: readonly [number, number]): number {
  return seconds * 1_000 + Math.round(nanoseconds / 1_000) / 1_000;
}
