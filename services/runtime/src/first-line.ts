import type { Readable } from 'node:stream';
import { ConfigurationError } from '@plexus/kernel';

const MAX_BYTES = 65_536;

export interface FirstLine {
  readonly line: string;
  /** Resolves when the stream has ended: whoever held the other end is gone. */
  readonly ended: Promise<void>;
}

/** Reads one line and goes on draining the rest. Throws `ConfigurationError` when none comes in time, or too much. */
export function readFirstLine(input: Readable, timeoutMs: number): Promise<FirstLine> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const ended = new Promise<void>((end) => {
      input.once('end', end);
      input.once('close', end);
    });
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      input.off('data', onData);
      input.off('end', onEnd);
      input.on('data', () => undefined);
      settle();
    };
    const fail = (reason: string): void => finish(() => reject(new ConfigurationError(`the runtime cannot start:\n  first line of stdin: ${reason}`)));
    const line = (): string => Buffer.concat(chunks).toString('utf8').split('\n', 1)[0] as string;
    const onEnd = (): void => (bytes === 0 ? fail('stdin was closed before it came') : finish(() => resolve({ line: line(), ended })));
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (chunk.includes(0x0a)) finish(() => resolve({ line: line(), ended }));
      else if (bytes > MAX_BYTES) fail(`longer than ${MAX_BYTES} bytes`);
    };
    const timer = setTimeout(() => fail(`nothing came within ${timeoutMs} ms`), timeoutMs);
    input.on('data', onData);
    input.once('end', onEnd);
  });
}
