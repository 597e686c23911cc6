import type { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MetricReader } from '@opentelemetry/sdk-metrics';

/** Label combinations per metric; what comes beyond is summed up as `otel_metric_overflow`. Labels come from small lists, so this is a fuse. */
const MAX_SERIES_PER_METRIC = 500;

/** Reads the metrics of this process on demand. The scrape endpoint belongs to the service's internal listener, so this opens no port. */
export class PrometheusReader extends MetricReader {
  private serializer: Promise<PrometheusSerializer> | undefined;

  constructor() {
    super({ cardinalitySelector: () => MAX_SERIES_PER_METRIC });
  }

  /** The Prometheus text format 0.0.4. */
  async text(): Promise<string> {
    this.serializer ??= loadSerializer();
    const serializer = await this.serializer;
    const { resourceMetrics, errors } = await this.collect({ timeoutMillis: 2_000 });
    const problems = errors.map((error) => `# a metric could not be read: ${String(error).replaceAll('\n', ' ')}\n`).join('');
    return `${problems}${serializer.serialize(resourceMetrics).trimEnd()}\n`;
  }

  protected override async onShutdown(): Promise<void> {
    // There is nothing to send: metrics are only ever pulled.
  }

  protected override async onForceFlush(): Promise<void> {
    // See onShutdown.
  }
}

/** With the first scrape: seven megabytes that a process which nobody scrapes can do without. */
async function loadSerializer(): Promise<PrometheusSerializer> {
  const { PrometheusSerializer: Serializer } = await import('@opentelemetry/exporter-prometheus');
  return new Serializer(undefined, false, undefined, true, true);
}
