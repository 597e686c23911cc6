import { type Context, context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';

/** Writes one header; NATS headers, HTTP headers and outbox rows all fit. */
export type CarrierSetter = (name: string, value: string) => void;
/** Reads one header; nothing when it is absent. */
export type CarrierGetter = (name: string) => string | undefined;

/** Writes `traceparent` (and `tracestate`) of the active span, or of the given context, into a carrier. Writes nothing without a span. */
export function injectHeaders(set: CarrierSetter, from: Context = context.active()): void {
  propagation.inject(from, set, { set: (write, name, value) => write(name, value) });
}

/** Reads the remote span of a carrier. Malformed headers are ignored; without any the root context comes back, never the active one. */
export function extractContext(get: CarrierGetter): Context {
  return propagation.extract(ROOT_CONTEXT, get, { keys: () => ['traceparent', 'tracestate'], get: (read, name) => read(name) });
}

/** W3C `traceparent` of the active span, to be stored beside work that is done later. */
export function currentTraceparent(): string | undefined {
  let traceparent: string | undefined;
  injectHeaders((name, value) => {
    if (name === 'traceparent') traceparent = value;
  });
  return traceparent;
}

/** Ids of the active span for log lines. */
export function currentTraceIds(): { readonly traceId: string; readonly spanId: string } | undefined {
  const spanContext = trace.getSpanContext(context.active());
  return spanContext === undefined ? undefined : { traceId: spanContext.traceId, spanId: spanContext.spanId };
}
