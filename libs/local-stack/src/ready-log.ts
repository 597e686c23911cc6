import { setTimeout as sleep } from 'node:timers/promises';
import type { GuardedProcess } from './guarded-process.js';
import { portTaken, StartError } from './start-error.js';

/** Whatever still holds the output of a server that ended is waited for no longer. */
const LAST_WORDS_MS = 2_000;

/** Collects the end of a server's log and waits for the line that says it is ready. */
export class ReadyLog {
  private text = '';
  private notify: (() => void) | undefined;
  private ready = false;

  constructor(private readonly onLog?: (text: string) => void) {}

  add(text: string): void {
    this.onLog?.(text);
    if (this.ready) return;
    this.text = (this.text + text).slice(-16_384);
    this.notify?.();
  }

  async waitFor(needle: string, server: GuardedProcess, timeoutMs: number, name: string, port: number): Promise<void> {
    const seen = new Promise<'ready'>((resolve) => {
      this.notify = () => this.text.includes(needle) && resolve('ready');
      this.notify();
    });
    const timer = new Timeout(timeoutMs);
    const outcome = await Promise.race([seen, server.ended, timer.promise]);
    timer.cancel();
    this.ready = outcome === 'ready';
    if (this.ready) return;
    if (outcome !== 'late') await lastWords(server);
    const tail = this.text.trim().split('\n').slice(-8).join('\n');
    const taken = portTaken(name, this.text, port);
    if (taken !== undefined) {
      await server.stop(1_000);
      throw taken;
    }
    if (outcome === 'late') {
      await server.stop(1_000);
      throw new StartError('PROCESS_NOT_READY', `${name} was not ready within ${timeoutMs} ms. The end of its log:\n${tail}`);
    }
    throw new StartError('PROCESS_FAILED', `${name} ended while it started. The end of its log:\n${tail}`);
  }
}

async function lastWords(server: GuardedProcess): Promise<void> {
  const patience = new AbortController();
  await Promise.race([server.silent, sleep(LAST_WORDS_MS, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
}

class Timeout {
  readonly promise: Promise<'late'>;
  private timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.promise = new Promise((resolve) => {
      this.timer = setTimeout(() => resolve('late'), timeoutMs);
    });
  }

  cancel(): void {
    clearTimeout(this.timer);
  }
}
