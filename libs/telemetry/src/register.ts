/** Entry for `node --import @plexus/telemetry/register`: starts telemetry before the program loads anything that is instrumented. */
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { readTelemetryConfig } from './config.js';
import { startTelemetry } from './start-telemetry.js';

await startTelemetry(readTelemetryConfig());
// Queries outside any span are housekeeping (outbox polls, pings): spans for them would be noise. Values never reach a span.
new PgInstrumentation({ requireParentSpan: true, enhancedDatabaseReporting: false, ignoreConnectSpans: true });
