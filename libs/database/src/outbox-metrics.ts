import { type Counter, type Histogram, metrics, type ObservableResult } from '@opentelemetry/api';

/** Figures of one relay: messages by outcome, duration of a round, backlog and subjects that wait after a failure. */
export class OutboxMetrics {
  /** Last measured; refreshed by the relay that holds the lock. */
  backlog = { pending: 0, oldestMs: 0 };
  readonly #labels: { schema: string };
  readonly #messages: Counter;
  readonly #duration: Histogram;
  readonly #stopObserving: () => void;

  constructor(schema: string, blockedSubjects: () => number) {
    this.#labels = { schema };
    const meter = metrics.getMeter('plexus.database');
    this.#messages = meter.createCounter('plexus_outbox_messages', { description: 'Outbox messages by outcome.' });
    this.#duration = meter.createHistogram('plexus_outbox_round_ms', { description: 'Publishing and marking one batch, in milliseconds.' });
    const gauges: [string, string, () => number][] = [
      ['plexus_outbox_pending', 'Messages not yet published, counted up to 10,000.', () => this.backlog.pending],
      ['plexus_outbox_oldest_ms', 'Age of the oldest message not yet published, in milliseconds.', () => this.backlog.oldestMs],
      ['plexus_outbox_blocked_subjects', 'Subjects that wait after a failed publish.', blockedSubjects],
    ];
    const stops = gauges.map(([name, description, read]) => {
      const gauge = meter.createObservableGauge(name, { description });
      const observe = (result: ObservableResult) => result.observe(read(), this.#labels);
      gauge.addCallback(observe);
      return () => gauge.removeCallback(observe);
    });
    this.#stopObserving = () => {
      for (const stop of stops) stop();
    };
  }

  round(published: number, failed: number, durationMs: number): void {
    if (published > 0) this.#messages.add(published, { ...this.#labels, outcome: 'published' });
    if (failed > 0) this.#messages.add(failed, { ...this.#labels, outcome: 'failed' });
    this.#duration.record(durationMs, this.#labels);
  }

  stop(): void {
    this.#stopObserving();
  }
}
