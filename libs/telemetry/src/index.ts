export { type Attributes, type Context, type Link, type Span, SpanKind } from '@opentelemetry/api';
export { metricsText, recordForeignSpan, shutdownTelemetry, telemetryIsRegistered } from './active-telemetry.js';
export type { ForeignSpan } from './foreign-span.js';
export { type Counter, counter, type Gauge, gauge, type Histogram, histogram, meter, observe, SECONDS_BUCKETS } from './instruments.js';
export { type InstrumentKind, METRIC_CATALOGUE, type MetricDefinition, type MetricKey, METRICS } from './metrics-catalogue.js';
export { type CarrierGetter, type CarrierSetter, currentTraceIds, currentTraceparent, extractContext, injectHeaders } from './propagation.js';
export { failSpan, linksTo, type SpanOptions, tracer, untraced, withSpan } from './tracing.js';
