import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { metricsText, shutdownTelemetry, withSpan } from '@plexus/telemetry';
import { waitFor } from '@plexus/testing';
import { COMMANDS, DLQ, Fixture, failure, greet, work, worker } from './fixture.js';

interface SpanLine {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly status: string;
  readonly attributes: Record<string, unknown>;
  readonly links: readonly { readonly spanId: string }[];
}

let fixture: Fixture;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'plexus-bus-traces-'));
  process.env.PLEXUS_TRACE_DIR = directory;
  await import('@plexus/telemetry/register');
  fixture = await Fixture.start();
  await fixture.apply({ streams: [COMMANDS, DLQ], consumers: [worker()] });
});
afterAll(async () => {
  await fixture.stop();
  delete process.env.PLEXUS_TRACE_DIR;
  rmSync(directory, { recursive: true, force: true });
});

it('one trace leads from the caller through the answering service to the worker of its event, and failures are marked', async () => {
  const service = await fixture.connect();
  const client = await fixture.connect({ service: 'client' });
  service.serve(greet, async ({ name }, { tenant }) => {
    if (name === 'bad') throw new Error('secret');
    await service.publish(work, { tenant, key: ['a'], data: { thingId: 'a', n: 1 } });
    return { text: '' };
  });
  const consumption = service.consume(worker(), async () => ({ kind: 'done' }), { heartbeatMs: 500 });
  await service.connection.flush();
  await withSpan('message', {}, async () => {
    await client.call(greet, 'acme', { name: 'Ada' });
    await failure(client.call(greet, 'acme', { name: 'bad' }));
  });
  await waitFor(() => consumption.stats.done === 1);
  const metrics = await metricsText();
  await service.drain();
  await shutdownTelemetry();

  const spans = readdirSync(directory).flatMap((file) =>
    readFileSync(path.join(directory, file), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as SpanLine),
  );
  const only = (name: string, status = 'unset') => {
    const found = spans.filter((span) => span.name === name && span.status === status);
    expect(found).toHaveLength(1);
    return found[0] as SpanLine;
  };
  const root = only('message');
  const call = only('call rpc test.greet.v1');
  const served = only('serve rpc test.greet.v1');
  const published = only('publish cmd test.work.v1');
  const handled = only('handle test-work');
  expect([call, served, published, handled].map(({ traceId }) => traceId)).toEqual(Array(4).fill(root.traceId));
  expect([call.parentSpanId, served.parentSpanId, published.parentSpanId]).toEqual([root.spanId, call.spanId, served.spanId]);
  expect(handled.links).toEqual([expect.objectContaining({ spanId: published.spanId })]);
  expect(only('serve rpc test.greet.v1', 'error').attributes).not.toHaveProperty('exception.message');
  expect(only('call rpc test.greet.v1', 'error').attributes['error.type']).toBe('INTERNAL');
  expect(JSON.stringify(spans)).not.toContain('secret');

  expect(metrics).toMatch(/plexus_rpc_served_total\{[^}]*contract="rpc test\.greet\.v1"[^}]*outcome="ok"[^}]*\} 1/);
  expect(metrics).toMatch(/plexus_rpc_called_total\{[^}]*code="INTERNAL"[^}]*\} 1/);
  expect(metrics).toMatch(/plexus_messages_published_total\{[^}]*outcome="stored"[^}]*\} 1/);
  expect(metrics).toMatch(/plexus_messages_consumed_total\{[^}]*outcome="done"[^}]*\} 1/);
});
