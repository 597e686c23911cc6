import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@plexus/bus';
import { connectionOf, type NatsAccess } from './nats-access.js';

export interface JetStreamWatchOptions {
  readonly access: NatsAccess;
  /** Folder of the server's store. */
  readonly dir: string;
  /** Ends the server, however it hangs; its supervision starts it again. */
  readonly restart: () => Promise<void>;
  readonly note: (line: string) => void;
  /** Pause between two questions, and the time for an answer. Default 20 s. */
  readonly everyMs?: number;
  /** So long without an answer is hanging. Default 60 s. */
  readonly patienceMs?: number;
  /** While the disk is full there is a look for room this often. Default 5 s. */
  readonly roomEveryMs?: number;
  /** Room on the disk of the store. */
  readonly freeBytes?: (dir: string) => Promise<number>;
}

/** With less room a server that is started again would hang again at once. */
const ENOUGH_BYTES = 16 * 1024 * 1024;
const MIB = 1024 * 1024;

/**
 * Looks after the embedded nats-server. One whose disk is full neither ends nor logs anything: its store hangs, every publish and every question runs into
 * its time limit, and it stays so when there is room again. It is told on the terminal, and started again as soon as that helps.
 */
export class JetStreamWatch {
  private readonly abort = new AbortController();
  private readonly done: Promise<void>;

  private constructor(
    private readonly bus: Bus,
    private readonly options: JetStreamWatchOptions,
  ) {
    this.done = this.run();
  }

  static async start(options: JetStreamWatchOptions): Promise<JetStreamWatch> {
    const { connectBus } = await import('@plexus/bus');
    return new JetStreamWatch(await connectBus({ service: 'launcher', ...connectionOf(options.access), connectTimeoutMs: 60_000 }), options);
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await this.done;
    await this.bus.close();
  }

  private async run(): Promise<void> {
    const { everyMs = 20_000, patienceMs = 60_000 } = this.options;
    let answeredAt = performance.now();
    while (!this.abort.signal.aborted) {
      await this.pause(everyMs);
      if (await this.answers(everyMs)) answeredAt = performance.now();
      const silentMs = performance.now() - answeredAt;
      if (silentMs < patienceMs || this.abort.signal.aborted) continue;
      await this.revive(silentMs);
      answeredAt = performance.now();
    }
  }

  /** True also while it is just being started again: that is the business of its supervision. */
  private async answers(timeoutMs: number): Promise<boolean> {
    if (!this.bus.isConnected()) return true;
    try {
      await this.bus.jetstream.streams({ timeoutMs, signal: this.abort.signal });
      return true;
    } catch (error) {
      return (error as { code?: string }).code !== 'TIMEOUT';
    }
  }

  private async revive(silentMs: number): Promise<void> {
    const { dir, note, restart, roomEveryMs = 5_000, freeBytes = roomOf } = this.options;
    // Where nobody can tell, room is not what is missing.
    const room = (): Promise<number> => freeBytes(dir).catch(() => Number.POSITIVE_INFINITY);
    const silent = `nats-server has stored and answered nothing for ${Math.round(silentMs / 1_000)} s`;
    let free = await room();
    if (free < ENOUGH_BYTES) {
      note(`${silent}: the disk of ${dir} is full (${Math.floor(free / MIB)} MiB left). Make room; it is started again by itself then`);
      while (free < ENOUGH_BYTES) {
        await this.pause(roomEveryMs);
        if (this.abort.signal.aborted) return;
        free = await room();
      }
      note('there is room again; starting nats-server again');
    } else note(`${silent}; starting it again`);
    await restart();
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.abort.signal, ref: false }).catch(() => {}); // aborted: the loop ends
  }
}

async function roomOf(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}
