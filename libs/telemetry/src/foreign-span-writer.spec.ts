import { SpanKind } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { foreignSpans } from './foreign-span-writer.js';
import { spanLine } from './span-line.js';

describe('a span that another program reported', () => {
  it('stands under the name of that program, with its own ids and times', () => {
    const ended: ReadableSpan[] = [];
    const nothing = async (): Promise<void> => undefined;
    const processor: SpanProcessor = { onStart: () => undefined, onEnd: (span) => void ended.push(span), forceFlush: nothing, shutdown: nothing };
    const record = foreignSpans([processor]);
    const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: 'c'.repeat(16) };
    const span = {
      service: 'runtime',
      name: 'chat m',
      kind: SpanKind.CLIENT,
      ...ids,
      startMs: 1_764_000_000_123.5,
      durationMs: 1_500.25,
      attributes: { n: 1 },
    };
    record(span);
    record({ ...span, error: 'MODEL_UNAVAILABLE' });
    const [good, failed] = ended.map((one) => spanLine(one, 'gateway'));
    expect(good).toEqual({
      ...ids,
      ...{ name: 'chat m', kind: 'client', service: 'runtime', startMs: 1_764_000_000_123.5, durationMs: 1_500.25, status: 'unset' },
      ...{ attributes: { n: 1 }, links: [] },
    });
    expect(failed).toMatchObject({ status: 'error', attributes: { n: 1, 'error.type': 'MODEL_UNAVAILABLE' } });
    // Spans of one program share one resource: exporters group by it.
    expect(ended[0]?.resource).toBe(ended[1]?.resource);
  });
});
