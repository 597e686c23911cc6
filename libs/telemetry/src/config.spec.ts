import { readTelemetryConfig } from './config.js';

describe('readTelemetryConfig', () => {
  it('records every trace and writes none without settings', () => {
    expect(readTelemetryConfig({})).toEqual({ service: 'plexus', traceDirectory: undefined, otlpEndpoint: undefined, sampleRatio: 1, problems: [] });
  });

  it('takes the settings as OpenTelemetry names them', () => {
    const env = {
      OTEL_SERVICE_NAME: 'routing',
      PLEXUS_TRACE_DIR: '/tmp/t',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    };
    expect(readTelemetryConfig(env)).toEqual({
      service: 'routing',
      traceDirectory: '/tmp/t',
      otlpEndpoint: 'http://collector:4318',
      sampleRatio: 0.25,
      problems: [],
    });
  });

  it('names a setting that it cannot use and goes on without it: telemetry never keeps a service from starting', () => {
    const config = readTelemetryConfig({ OTEL_TRACES_SAMPLER_ARG: 'often', OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' });
    expect(config).toMatchObject({ sampleRatio: 1, otlpEndpoint: undefined });
    expect(config.problems).toEqual([expect.stringContaining('OTEL_TRACES_SAMPLER_ARG="often"'), expect.stringContaining('OTEL_EXPORTER_OTLP_ENDPOINT')]);
  });
});
