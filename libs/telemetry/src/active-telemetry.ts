import type { ForeignSpan } from './foreign-span.js';

/** What `register` started; `index` stays free of the SDK so that a library may import it at no cost. */
export interface ActiveTelemetry {
  readonly service: string;
  metricsText(): Promise<string>;
  /** Hands a finished span to where the spans of this process go. */
  record(span: ForeignSpan): void;
  shutdown(): Promise<void>;
}

let active: ActiveTelemetry | undefined;

export function setActiveTelemetry(telemetry: ActiveTelemetry | undefined): void {
  active = telemetry;
}

/** True once `@plexus/telemetry/register` has run in this process. */
export function telemetryIsRegistered(): boolean {
  return active !== undefined;
}

/** Writes a span that another program reported, under that program's name. Does nothing where spans go nowhere. */
export function recordForeignSpan(span: ForeignSpan): void {
  active?.record(span);
}

/** Metrics of this process in the Prometheus text format 0.0.4. Says so in a comment when telemetry is not registered. */
export async function metricsText(): Promise<string> {
  return active === undefined ? '# telemetry is not registered: start node with --import @plexus/telemetry/register\n' : active.metricsText();
}

/** Writes out what is pending and stops. Does nothing when telemetry is not registered; may be called twice. */
export async function shutdownTelemetry(): Promise<void> {
  const telemetry = active;
  active = undefined;
  await telemetry?.shutdown();
}
