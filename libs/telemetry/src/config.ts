/** Settings of `register`. They are read before anything else is loaded, hence by hand and not with a schema; a bad value falls back and is named in `problems`. */
export interface TelemetryConfig {
  /** OTEL_SERVICE_NAME; default `plexus`. */
  readonly service: string;
  /** PLEXUS_TRACE_DIR: folder for span files; absent: spans are not written to files. */
  readonly traceDirectory: string | undefined;
  /** OTEL_EXPORTER_OTLP_ENDPOINT: base URL of an OTLP/HTTP collector; absent: nothing is sent. */
  readonly otlpEndpoint: string | undefined;
  /** OTEL_TRACES_SAMPLER_ARG: share of new traces that is recorded, 0 to 1; default 1. A trace that came from outside keeps its own decision. */
  readonly sampleRatio: number;
  /** Sentences about settings that could not be used; `register` prints them. */
  readonly problems: readonly string[];
}

/** Reads the settings; never throws: telemetry must not keep a service from starting. */
export function readTelemetryConfig(env: Readonly<Record<string, string | undefined>> = process.env): TelemetryConfig {
  const problems: string[] = [];
  const text = (name: string): string | undefined => env[name]?.trim() || undefined;

  const ratio = text('OTEL_TRACES_SAMPLER_ARG');
  let sampleRatio = ratio === undefined ? 1 : Number(ratio);
  if (!(sampleRatio >= 0 && sampleRatio <= 1)) {
    problems.push(`OTEL_TRACES_SAMPLER_ARG=${JSON.stringify(ratio)} is not a number from 0 to 1; recording every trace`);
    sampleRatio = 1;
  }
  let otlpEndpoint = text('OTEL_EXPORTER_OTLP_ENDPOINT')?.replace(/\/+$/, '');
  if (otlpEndpoint !== undefined && !(URL.canParse(otlpEndpoint) && /^https?:/.test(otlpEndpoint))) {
    problems.push('OTEL_EXPORTER_OTLP_ENDPOINT is not an http(s) URL; sending nothing');
    otlpEndpoint = undefined;
  }
  return { service: text('OTEL_SERVICE_NAME') ?? 'plexus', traceDirectory: text('PLEXUS_TRACE_DIR'), otlpEndpoint, sampleRatio, problems };
}
