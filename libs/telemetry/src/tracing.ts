import { randomBytes } from 'node:crypto';
import {
  type Attributes,
  type Context,
  context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { INSTRUMENTATION_SCOPE } from './instruments.js';

export interface SpanOptions {
  /** Default: internal. */
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** Spans that this one belongs to without being their child, for example the publisher of the message handled. */
  readonly links?: readonly Link[];
  /** Default: the active context. */
  readonly parent?: Context;
}

/** The tracer of this process; its spans go nowhere until telemetry is registered. */
export function tracer(name: string = INSTRUMENTATION_SCOPE): Tracer {
  return trace.getTracer(name);
}

/**
 * Runs `fn` inside a new span and ends the span with it. An error is recorded by its class and code only: messages may
 * quote what a caller sent. Rejects with whatever `fn` throws.
 */
export async function withSpan<T>(name: string, options: SpanOptions, fn: (span: Span) => T | Promise<T>): Promise<T> {
  const { kind = SpanKind.INTERNAL, attributes, links, parent = context.active() } = options;
  const span = tracer().startSpan(name, { kind, attributes, links: links === undefined ? undefined : [...links] }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), fn, undefined, span);
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Marks a span as failed with the stable code of the error, or its class. */
export function failSpan(span: Span, error: unknown): void {
  const code = typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const type = code ?? (error instanceof Error ? error.name : typeof error);
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, message: type });
}

/** A link to the span of a context, or nothing when it has none: `links: linksTo(extractContext(get))`. */
export function linksTo(other: Context): Link[] {
  const spanContext = trace.getSpanContext(other);
  return spanContext === undefined ? [] : [{ context: spanContext }];
}

/**
 * Runs `fn` in a trace that nobody records, here and in the services that it calls: for heartbeats and other things that happen every
 * second and would bury what people look for. The decision travels with the `traceparent` (sampled flag 0).
 */
export function untraced<T>(fn: () => T): T {
  const unsampled = { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex'), traceFlags: TraceFlags.NONE, isRemote: true };
  return context.with(trace.setSpanContext(ROOT_CONTEXT, unsampled), fn);
}
