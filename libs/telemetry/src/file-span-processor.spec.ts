import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { FakeClock } from '@plexus/kernel';
import { FileSpanProcessor, type FileSpanProcessorOptions } from './file-span-processor.js';
import type { SpanLine } from './span-line.js';

describe('FileSpanProcessor', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'plexus-spans-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const clock = new FakeClock();
  const dropped: string[] = [];
  beforeEach(() => dropped.splice(0));
  const setUp = (options: Partial<FileSpanProcessorOptions> = {}) => {
    const onDrop = (count: number, reason: string) => dropped.push(`${count} ${reason}`);
    const processor = new FileSpanProcessor({ directory, service: 'routing', pid: process.pid, clock, onDrop, ...options });
    const provider = new TracerProvider({ resource: resourceFromAttributes({}), spanProcessors: [processor] });
    return { processor, tracer: provider.getTracer('test') };
  };
  const file = () => path.join(directory, `routing-${process.pid}.jsonl`);
  const linesOf = (name: string): SpanLine[] =>
    readFileSync(name, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as SpanLine);

  it('writes one line per span with ids, times, status, attributes and links', async () => {
    const { processor, tracer } = setUp();
    const publisher = tracer.startSpan('publish');
    const parent = tracer.startSpan('handle', {
      kind: SpanKind.CONSUMER,
      attributes: { consumer: 'routing-session-ends' },
      links: [{ context: publisher.spanContext() }],
    });
    const child = tracer.startSpan('query', { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), parent));
    child.setStatus({ code: SpanStatusCode.ERROR });
    child.end();
    parent.end();
    await processor.forceFlush();

    const [query, handle] = linesOf(file());
    expect(handle).toEqual({
      traceId: parent.spanContext().traceId,
      spanId: parent.spanContext().spanId,
      name: 'handle',
      kind: 'consumer',
      service: 'routing',
      startMs: expect.any(Number),
      durationMs: expect.any(Number),
      status: 'unset',
      attributes: { consumer: 'routing-session-ends' },
      links: [{ traceId: publisher.spanContext().traceId, spanId: publisher.spanContext().spanId }],
    });
    expect(query).toMatchObject({ parentSpanId: handle?.spanId, traceId: handle?.traceId, status: 'error', kind: 'client' });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('touches the disk only when the delay is over', async () => {
    const { processor, tracer } = setUp({ delayMs: 500 });
    tracer.startSpan('late').end();
    await clock.advance(499);
    expect(existsSync(file())).toBe(false);
    await clock.advance(1);
    await processor.forceFlush();
    expect(linesOf(file())).toHaveLength(1);
  });

  it('drops and counts what comes beyond its capacity instead of growing', async () => {
    const { processor, tracer } = setUp({ capacity: 3 });
    for (let index = 0; index < 5; index += 1) tracer.startSpan(`s${index}`).end();
    await processor.forceFlush();
    expect(linesOf(file()).map((line) => line.name)).toEqual(['s0', 's1', 's2']);
    expect(dropped).toEqual(['1 queue-full', '1 queue-full']);
  });

  it('keeps the newest two files, each within its limit', async () => {
    const { processor, tracer } = setUp({ maxFileBytes: 2_000 });
    for (let index = 0; index < 40; index += 1) {
      tracer.startSpan(`span ${index}`).end();
      await processor.forceFlush();
    }
    const files = readdirSync(directory).sort();
    expect(files).toEqual([`routing-${process.pid}.jsonl`, `routing-${process.pid}.previous.jsonl`]);
    for (const name of files) expect(statSync(path.join(directory, name)).size).toBeLessThanOrEqual(2_000);
    expect(linesOf(file()).at(-1)?.name).toBe('span 39');
  });

  it('counts what the disk refuses and writes again once it accepts', async () => {
    const blocked = path.join(directory, 'blocked');
    writeFileSync(blocked, 'a file where the folder should be');
    const { processor, tracer } = setUp({ directory: blocked });
    tracer.startSpan('lost').end();
    await processor.forceFlush();
    expect(dropped).toEqual(['1 write-failed']);
    rmSync(blocked);
    tracer.startSpan('kept').end();
    await processor.forceFlush();
    expect(linesOf(path.join(blocked, `routing-${process.pid}.jsonl`)).map((line) => line.name)).toEqual(['kept']);
  });

  it('writes what is waiting when the process exits', () => {
    const { processor, tracer } = setUp();
    tracer.startSpan('last words').end();
    processor.flushSync();
    expect(linesOf(file()).map((line) => line.name)).toEqual(['last words']);
  });

  it('removes files of ended processes of the same service except the newest two, and none of the living or of others', () => {
    mkdirSync(directory, { recursive: true });
    const ended = [2_147_483_001, 2_147_483_002, 2_147_483_003];
    for (const pid of ended) writeFileSync(path.join(directory, `routing-${pid}.jsonl`), '');
    writeFileSync(path.join(directory, `routing-core-${ended[0]}.jsonl`), '');
    writeFileSync(path.join(directory, `routing-${process.ppid}.jsonl`), '');
    chmodSync(directory, 0o700);
    setUp();
    const left = readdirSync(directory);
    expect(left).toHaveLength(4);
    expect(left).toEqual(expect.arrayContaining([`routing-core-${ended[0]}.jsonl`, `routing-${process.ppid}.jsonl`]));
  });
});
