import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { setActiveTelemetry, telemetryIsRegistered } from './active-telemetry.js';
import type { TelemetryConfig } from './config.js';
import { FileSpanProcessor } from './file-span-processor.js';
import { foreignSpans } from './foreign-span-writer.js';
import { counter, instrumentsAreRegistered } from './instruments.js';
import { observeProcess } from './process-metrics.js';
import { PrometheusReader } from './prometheus-reader.js';

export interface StartOptions {
  /** Receives sentences for people; default: stderr. */
  readonly warn?: (sentence: string) => void;
}

/**
 * Makes the OpenTelemetry API real for this process: context, W3C propagation, metrics, and spans when there is somewhere to
 * write them. Called by `register`; a second call does nothing.
 */
export async function startTelemetry(config: TelemetryConfig, { warn = warnOnStderr }: StartOptions = {}): Promise<void> {
  if (telemetryIsRegistered()) return;
  for (const problem of config.problems) warn(problem);
  const resource = resourceFromAttributes({ 'service.name': config.service, 'process.pid': process.pid });

  const reader = new PrometheusReader();
  const meterProvider = new MeterProvider({ resource, readers: [reader] });
  metrics.setGlobalMeterProvider(meterProvider);
  instrumentsAreRegistered();
  const stopProcessMetrics = observeProcess();

  const file = config.traceDirectory === undefined ? undefined : fileProcessor(config.traceDirectory, config.service, warn);
  const spanProcessors: SpanProcessor[] = file === undefined ? [] : [file];
  if (config.otlpEndpoint !== undefined) spanProcessors.push(await otlpProcessor(config.otlpEndpoint));
  // With nowhere to write to, spans only carry ids: log lines of one request still share a trace id, across processes.
  const root = spanProcessors.length === 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(config.sampleRatio);
  const tracerProvider = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root }),
    spanProcessors,
    spanLimits: { attributeCountLimit: 32, attributeValueLengthLimit: 1_024, eventCountLimit: 16, linkCountLimit: 16 },
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracerProvider);

  const atExit = () => file?.flushSync();
  process.once('exit', atExit);
  setActiveTelemetry({
    service: config.service,
    metricsText: () => reader.text(),
    record: foreignSpans(spanProcessors),
    shutdown: async () => {
      stopProcessMetrics();
      await Promise.allSettled([tracerProvider.shutdown(), meterProvider.shutdown()]);
      process.off('exit', atExit);
    },
  });
}

function fileProcessor(directory: string, service: string, warn: (sentence: string) => void): FileSpanProcessor {
  const dropped = counter('spansDropped');
  let warned = false;
  return new FileSpanProcessor({
    directory,
    service,
    pid: process.pid,
    onDrop: (count, reason, error) => {
      dropped.add(count, { reason });
      if (warned || reason === 'queue-full') return;
      warned = true;
      warn(`spans cannot be written to ${directory} (${error instanceof Error ? error.message : String(error)}); further failures are only counted`);
    },
  });
}

/** Loaded only where a collector is configured: its HTTP client and serialisers would cost every other process several megabytes. */
async function otlpProcessor(endpoint: string): Promise<SpanProcessor> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  return new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis: 10_000 }), scheduledDelayMillis: 2_000 });
}

function warnOnStderr(sentence: string): void {
  process.stderr.write(`telemetry: ${sentence}\n`);
}
