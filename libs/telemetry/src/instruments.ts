import {
  type Attributes,
  metrics,
  type Counter as OtelCounter,
  type Gauge as OtelGauge,
  type Histogram as OtelHistogram,
  type Meter,
  type ObservableResult,
} from '@opentelemetry/api';
import { METRIC_CATALOGUE, type MetricDefinition, type MetricKey } from './metrics-catalogue.js';

export const INSTRUMENTATION_SCOPE = 'plexus';

type KeysOf<K extends MetricDefinition['kind']> = { [P in MetricKey]: (typeof METRIC_CATALOGUE)[P]['kind'] extends K ? P : never }[MetricKey];

export interface Counter {
  add(value: number, labels?: Attributes): void;
}
export interface Histogram {
  /** Durations are in seconds. */
  record(value: number, labels?: Attributes): void;
}
export interface Gauge {
  record(value: number, labels?: Attributes): void;
}

/** Upper bounds in seconds: from a cached answer (100 µs) to the longest wait that anything here has. */
export const SECONDS_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600];

/** The meter of this process; a no-op until telemetry is registered. Prefer the catalogued instruments below. */
export function meter(name: string = INSTRUMENTATION_SCOPE): Meter {
  return metrics.getMeter(name);
}

/** The catalogued counter of that key. Safe to call while a module loads: the instrument itself is made at the first use. */
export function counter(key: KeysOf<'counter'>): Counter {
  const instrument = once(() => meter().createCounter(...optionsOf(key)));
  return { add: (value, labels) => (instrument() as OtelCounter | undefined)?.add(value, labels) };
}

/** The catalogued histogram of that key. */
export function histogram(key: KeysOf<'histogram'>): Histogram {
  const instrument = once(() => {
    const [name, options] = optionsOf(key);
    return meter().createHistogram(name, { ...options, advice: { explicitBucketBoundaries: SECONDS_BUCKETS } });
  });
  return { record: (value, labels) => (instrument() as OtelHistogram | undefined)?.record(value, labels) };
}

/** The catalogued gauge of that key, set by whoever changes it. */
export function gauge(key: KeysOf<'gauge'>): Gauge {
  const instrument = once(() => meter().createGauge(...optionsOf(key)));
  return { record: (value, labels) => (instrument() as OtelGauge | undefined)?.record(value, labels) };
}

/** Registers a callback that is read at every scrape. Returns how to remove it again. */
export function observe(key: KeysOf<'observed-gauge' | 'observed-counter'>, read: (report: (value: number, labels?: Attributes) => void) => void): () => void {
  const [name, options] = optionsOf(key);
  const observable =
    METRIC_CATALOGUE[key].kind === 'observed-counter' ? meter().createObservableCounter(name, options) : meter().createObservableGauge(name, options);
  const callback = (result: ObservableResult) => read((value, labels) => result.observe(value, labels));
  observable.addCallback(callback);
  return () => observable.removeCallback(callback);
}

function optionsOf(key: MetricKey): [string, { description: string; unit: string }] {
  const { name, help, unit } = METRIC_CATALOGUE[key];
  return [name, { description: help, unit }];
}

let registered = false;

/** From now on instruments are real. Before, they count nothing: an instrument made from the no-op meter would stay a no-op for ever. */
export function instrumentsAreRegistered(now = true): void {
  registered = now;
}

function once<T>(create: () => T): () => T | undefined {
  let instrument: T | undefined;
  return () => {
    if (!registered) return undefined;
    instrument ??= create();
    return instrument;
  };
}
