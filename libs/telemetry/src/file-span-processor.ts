import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { type Clock, systemClock, type Timer } from '@plexus/kernel';
import { RotatingFile, removeFilesOfEndedProcesses } from './rotating-file.js';
import { spanLine } from './span-line.js';

export interface FileSpanProcessorOptions {
  readonly directory: string;
  readonly service: string;
  readonly pid: number;
  /** Spans waiting to be written; more are dropped. Default 8,192. */
  readonly capacity?: number;
  /** How long a span may wait before it is written, in milliseconds. Default 500. */
  readonly delayMs?: number;
  /** Size at which a file is rotated, in bytes. Default 8 MiB. */
  readonly maxFileBytes?: number;
  readonly onDrop?: (count: number, reason: 'queue-full' | 'write-failed', error?: unknown) => void;
  readonly clock?: Clock;
}

/** Spans turned into text in one go: keeps a flush from holding up the event loop for more than a few milliseconds. */
const BATCH = 512;

/**
 * Writes finished spans as JSON lines to `<directory>/<service>-<pid>.jsonl`. Ending a span costs one push; writing happens in
 * batches beside it. When the disk is slower than the spans come, or refuses, spans are dropped and counted: a service never waits
 * for its traces.
 */
export class FileSpanProcessor implements SpanProcessor {
  private readonly file: RotatingFile;
  private readonly capacity: number;
  private readonly delayMs: number;
  private readonly clock: Clock;
  private queue: ReadableSpan[] = [];
  private timer: Timer | undefined;
  private writing: Promise<void> | undefined;
  private closed = false;

  constructor(private readonly options: FileSpanProcessorOptions) {
    this.file = new RotatingFile(options.directory, `${options.service}-${options.pid}`, options.maxFileBytes ?? 8 * 1024 * 1024);
    this.capacity = options.capacity ?? 8_192;
    this.delayMs = options.delayMs ?? 500;
    this.clock = options.clock ?? systemClock;
    removeFilesOfEndedProcesses(options.directory, options.service, 2);
  }

  onStart(): void {
    // Only finished spans are of interest.
  }

  onEnd(span: ReadableSpan): void {
    if (this.closed) return;
    if (this.queue.length >= this.capacity) {
      this.options.onDrop?.(1, 'queue-full');
      return;
    }
    this.queue.push(span);
    this.timer ??= this.clock.setTimeout(() => void this.forceFlush(), this.delayMs).unref();
  }

  /** Writes everything that is waiting. Never rejects: what cannot be written is dropped and counted. */
  async forceFlush(): Promise<void> {
    this.timer?.cancel();
    this.timer = undefined;
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined;
    });
    await this.writing;
  }

  async shutdown(): Promise<void> {
    this.closed = true;
    await this.forceFlush();
  }

  /** For the `exit` event: writes what is still waiting, synchronously. */
  flushSync(): void {
    const rest = this.queue.splice(0);
    if (rest.length === 0) return;
    try {
      this.file.appendSync(this.textOf(rest));
    } catch (error) {
      this.options.onDrop?.(rest.length, 'write-failed', error);
    }
  }

  private async writeAll(): Promise<void> {
    while (this.queue.length > 0) {
      const batch = this.queue.splice(0, BATCH);
      try {
        await this.file.append(this.textOf(batch));
      } catch (error) {
        this.options.onDrop?.(batch.length, 'write-failed', error);
      }
    }
  }

  private textOf(spans: readonly ReadableSpan[]): string {
    let text = '';
    for (const span of spans) text += `${JSON.stringify(spanLine(span, this.options.service))}\n`;
    return text;
  }
}
