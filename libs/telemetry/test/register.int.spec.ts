import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const project = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Runs a module as `node --import @plexus/telemetry/register` would run a service; its stdout must be one JSON value. */
async function run(code: string, env: Record<string, string> = {}): Promise<{ result: never; stderr: string }> {
  const child = spawn(process.execPath, ['--import', '@plexus/telemetry/register', '--input-type=module', '--eval', code], {
    cwd: project,
    env: { PATH: process.env.PATH ?? '', OTEL_SERVICE_NAME: 'probe', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (exitCode !== 0) throw new Error(`exit ${exitCode}: ${stderr}`);
  return { result: JSON.parse(stdout) as never, stderr };
}

describe('node --import @plexus/telemetry/register', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'plexus-register-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('carries a trace from one process to another', async () => {
    const first = await run(
      `import { withSpan, injectHeaders } from '@plexus/telemetry';
       const headers = {};
       await withSpan('send', {}, () => injectHeaders((name, value) => { headers[name] = value; }));
       console.log(JSON.stringify(headers));`,
      { PLEXUS_TRACE_DIR: directory, OTEL_SERVICE_NAME: 'sender' },
    );
    const { traceparent } = first.result as { traceparent: string };
    expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await run(
      `import { withSpan, extractContext, SpanKind } from '@plexus/telemetry';
       const parent = extractContext((name) => ({ traceparent: '${traceparent}' })[name]);
       await withSpan('receive', { kind: SpanKind.SERVER, parent }, () => {});
       console.log('{}');`,
      { PLEXUS_TRACE_DIR: directory, OTEL_SERVICE_NAME: 'receiver' },
    );
    const spans = readdirSync(directory).flatMap((file) =>
      readFileSync(path.join(directory, file), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    );
    const sent = spans.find((span) => span.name === 'send');
    expect(spans.find((span) => span.name === 'receive')).toMatchObject({ service: 'receiver', traceId: sent.traceId, parentSpanId: sent.spanId });
    expect(traceparent).toContain(sent.spanId);
  });

  it('records nothing of what is untraced, neither here nor behind a call', async () => {
    const caller = await run(
      `import { untraced, withSpan, injectHeaders } from '@plexus/telemetry';
       const headers = {};
       await untraced(() => withSpan('beat', {}, () => injectHeaders((name, value) => { headers[name] = value; })));
       await withSpan('message', {}, () => {});
       console.log(JSON.stringify(headers));`,
      { PLEXUS_TRACE_DIR: directory },
    );
    const { traceparent } = caller.result as { traceparent: string };
    expect(traceparent).toMatch(/-00$/);
    await run(
      `import { withSpan, extractContext } from '@plexus/telemetry';
       await withSpan('serve beat', { parent: extractContext((name) => ({ traceparent: '${traceparent}' })[name]) }, () => {});
       console.log('{}');`,
      { PLEXUS_TRACE_DIR: directory },
    );
    const names = readdirSync(directory).flatMap((file) =>
      readFileSync(path.join(directory, file), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { name: string }).name),
    );
    expect(names).toEqual(['message']);
  });

  it('gives trace ids to log lines and headers even when spans are written nowhere', async () => {
    const { result } = await run(
      `import { withSpan, currentTraceIds, currentTraceparent } from '@plexus/telemetry';
       const seen = await withSpan('work', {}, () => [currentTraceIds(), currentTraceparent()]);
       console.log(JSON.stringify(seen));`,
    );
    const [ids, traceparent] = result as [{ traceId: string; spanId: string }, string];
    expect(traceparent).toBe(`00-${ids.traceId}-${ids.spanId}-00`);
  });

  it('shows process metrics and catalogued instruments as Prometheus text, made before or after it was loaded', async () => {
    const { result } = await run(
      `import { counter, gauge, histogram, metricsText } from '@plexus/telemetry';
       counter('rpcServed').add(2, { contract: 'routing.history.v1', outcome: 'ok', code: 'ok' });
       histogram('rpcServedSeconds').record(0.003, { contract: 'routing.history.v1' });
       gauge('natsConnected').record(1);
       console.log(JSON.stringify({ text: await metricsText() }));`,
    );
    const { text } = result as { text: string };
    const lines = text.split('\n');
    expect(lines).toContain('# TYPE plexus_rpc_served_total counter');
    expect(lines).toContain('plexus_rpc_served_total{contract="routing.history.v1",outcome="ok",code="ok"} 2');
    expect(lines).toContain('plexus_rpc_served_seconds_bucket{contract="routing.history.v1",le="0.0025"} 0');
    expect(lines).toContain('plexus_rpc_served_seconds_bucket{contract="routing.history.v1",le="0.005"} 1');
    expect(lines).toContain('plexus_nats_connected 1');
    for (const name of [
      'process_resident_memory_bytes',
      'nodejs_heap_size_used_bytes',
      'nodejs_eventloop_lag_seconds{quantile="0.99"}',
      'process_cpu_seconds_total{mode="user"}',
    ]) {
      expect(Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1])).toBeGreaterThanOrEqual(0);
    }
    // Every sample line has the form that a scraper accepts.
    for (const line of lines) expect(line).toMatch(/^(#.*|[a-z_]+(\{.*\})? [-+0-9.eInf]+|)$/i);
  });

  it('sums up label combinations beyond the limit instead of growing without bound', async () => {
    const { result } = await run(
      `import { counter, metricsText } from '@plexus/telemetry';
       for (let index = 0; index < 5000; index += 1) counter('rpcServed').add(1, { contract: 'mistake-' + index });
       const text = await metricsText();
       console.log(JSON.stringify({ series: text.split('\\n').filter((line) => line.startsWith('plexus_rpc_served_total{')).length, overflow: text.includes('otel_metric_overflow') }));`,
    );
    const { series, overflow } = result as { series: number; overflow: boolean };
    expect(series).toBeLessThanOrEqual(500);
    expect(overflow).toBe(true);
  });

  it('records an error by its code and class, never by its message, and rethrows it', async () => {
    await run(
      `import { withSpan } from '@plexus/telemetry';
       const failure = Object.assign(new Error('the password of anna is hunter2'), { code: 'FORBIDDEN' });
       const seen = await withSpan('work', {}, () => { throw failure; }).catch((error) => error);
       if (seen !== failure) process.exit(3);
       console.log('{}');`,
      { PLEXUS_TRACE_DIR: directory },
    );
    const text = readdirSync(directory)
      .map((file) => readFileSync(path.join(directory, file), 'utf8'))
      .join('');
    expect(JSON.parse(text)).toMatchObject({ status: 'error', attributes: { 'error.type': 'FORBIDDEN' } });
    expect(text).not.toContain('hunter2');
  });

  it('warns about a folder that cannot be written and lets the program work', async () => {
    const blocked = path.join(directory, 'blocked');
    writeFileSync(blocked, 'a file where the folder should be');
    const { stderr } = await run(
      `import { withSpan, metricsText, shutdownTelemetry } from '@plexus/telemetry';
       await withSpan('work', {}, () => {});
       const counted = async () => (await metricsText()).includes('plexus_spans_dropped_total{reason="write-failed"} 1');
       for (let looks = 0; !(await counted()); looks += 1) {
         if (looks > 600) process.exit(4);
         await new Promise((resolve) => setTimeout(resolve, 50));
       }
       await shutdownTelemetry();
       console.log('{}');`,
      { PLEXUS_TRACE_DIR: blocked },
    );
    expect(stderr).toContain(`spans cannot be written to ${blocked}`);
  });

  it('sends spans to a collector when one is configured', async () => {
    const received: { url: string | undefined; body: string }[] = [];
    const collector = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        received.push({ url: request.url, body });
        response.end('{}');
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    try {
      await run(
        `import { withSpan, shutdownTelemetry } from '@plexus/telemetry';
         await withSpan('collected', {}, () => {});
         await shutdownTelemetry();
         console.log('{}');`,
        { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/` },
      );
    } finally {
      collector.closeAllConnections();
      await new Promise((resolve) => collector.close(resolve));
    }
    expect(received).toEqual([{ url: '/v1/traces', body: expect.stringMatching(/"probe".*"collected"/) }]);
  });

  it('patches pg for programs that import it as an ES module', async () => {
    // From a folder that has pg among its dependencies; the patch has to reach the CommonJS file behind the ESM entry.
    const { result } = await run(
      `import { createRequire } from 'node:module';
       import { pathToFileURL } from 'node:url';
       const resolved = createRequire(process.cwd() + '/../database/package.json').resolve('pg');
       const { default: pg } = await import(pathToFileURL(resolved).href);
       console.log(JSON.stringify({ wrapped: typeof pg.Client.prototype.query.__wrapped === 'boolean' || pg.Client.prototype.query.__original !== undefined }));`,
    );
    expect(result).toEqual({ wrapped: true });
  });
});

describe('without it', () => {
  it('spans and instruments do nothing, and the metrics say why', async () => {
    const { counter, currentTraceparent, metricsText, telemetryIsRegistered, withSpan } = await import('../src/index.js');
    counter('rpcServed').add(1);
    await expect(withSpan('work', {}, () => currentTraceparent())).resolves.toBeUndefined();
    expect(telemetryIsRegistered()).toBe(false);
    await expect(metricsText()).resolves.toContain('--import @plexus/telemetry/register');
  });
});
