import { type Clock, spread, type Timer } from '@plexus/kernel';
import type { MeshCalls } from '../../application/mesh-calls.js';
import { AgentFailure, type Log } from '../../application/ports.js';
import type { FenceStage } from '../../domain/fence.js';
import { BridgeConnection } from './bridge-connection.js';
import { BridgeFence } from './bridge-fence.js';
import type { StartBridge } from './bridge-process.js';
import { Redactor } from './redactor.js';

const BACKOFF = { firstMs: 500, capMs: 30_000, ratio: 0.2 };
/** A bridge that nobody asks anything is stopped: the agents behind it may hold a gigabyte. */
const IDLE_MS = 15 * 60_000;
/** From `stop` to TERM, from TERM to KILL. When the runtime itself ends both have to fit into its own four seconds. */
const STOP_IDLE = { termMs: 5_000, killMs: 10_000 };
const STOP_AT_EXIT = { termMs: 500, killMs: 2_000 };

export interface SupervisorOptions {
  readonly start: StartBridge;
  readonly calls: MeshCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly fenceStage?: () => FenceStage;
  readonly idleMs?: number;
  readonly random?: () => number;
}

/** Keeps one bridge process for all sessions of this VM: starts it when it is needed, again after it ended, and stops it. */
export class BridgeSupervisor {
  private current: BridgeConnection | undefined;
  /** Resolves when the bridge that ends now has ended; the next one is not started before. */
  private gone: Promise<void> = Promise.resolve();
  private failures = 0;
  private notBefore = 0;
  private idle: Timer | undefined;
  private closed = false;
  private readonly redactor = new Redactor();
  /** Bridges that we ended ourselves: that is no failure of theirs. */
  private readonly expected = new WeakSet<BridgeConnection>();

  private readonly fence: BridgeFence | undefined;

  constructor(private readonly options: SupervisorOptions) {
    const { clock, fenceStage } = options;
    this.fence = fenceStage && new BridgeFence(clock, fenceStage);
  }

  /** The bridge that runs, if it may be asked. */
  get running(): BridgeConnection | undefined {
    return this.current?.isStopping ? undefined : this.current;
  }

  /** A bridge to ask; waits while one that failed must not be started again yet, and while one that is being replaced has not ended. */
  async connection(signal: AbortSignal): Promise<BridgeConnection> {
    for (;;) {
      if (this.closed) throw new AgentFailure('BRIDGE_UNAVAILABLE', 'This machine is being stopped.');
      const { running, current } = this;
      if (running) return running;
      if (current) {
        await untilAborted(this.gone, signal);
        continue;
      }
      const waitMs = this.notBefore - this.options.clock.monotonic();
      if (waitMs <= 0) return this.launch();
      await this.options.clock.sleep(waitMs, signal);
    }
  }

  /** Ends the bridge and everything in it; resolves when its process is gone. */
  async close(): Promise<void> {
    this.closed = true;
    await this.stop('the runtime stops', STOP_AT_EXIT);
  }

  private launch(): BridgeConnection {
    const { start, calls, clock, log } = this.options;
    let isGone = (): void => undefined;
    this.gone = new Promise((resolve) => {
      isGone = resolve;
    });
    const connection: BridgeConnection = new BridgeConnection({
      start,
      calls,
      clock,
      log,
      redactor: this.redactor,
      onHealthy: () => {
        this.failures = 0;
      },
      onIdle: () => this.onIdle(connection),
      onExit: () => {
        this.idle?.cancel();
        this.fence?.stop();
        if (!this.expected.has(connection)) this.backOff();
        this.current = undefined;
        isGone();
      },
    });
    this.current = connection;
    this.fence?.watch((signal) => connection.kill(signal));
    this.onIdle(connection);
    return connection;
  }

  private backOff(): void {
    const { clock, log, random } = this.options;
    const waitMs = spread(Math.min(BACKOFF.capMs, BACKOFF.firstMs * 2 ** Math.min(this.failures++, 20)), BACKOFF.ratio, random);
    this.notBefore = clock.monotonic() + waitMs;
    log('warn', 'bridge ended by itself, it is started again with the next message', { failures: this.failures, waitMs });
  }

  private onIdle(connection: BridgeConnection): void {
    const { clock, idleMs = IDLE_MS } = this.options;
    if (connection !== this.current) return;
    this.idle?.cancel();
    if (connection.isRetired) {
      void this.stop('it is replaced', STOP_IDLE);
      return;
    }
    this.idle = clock.setTimeout(() => {
      if (!connection.isBusy && connection === this.current) void this.stop('idle', STOP_IDLE);
    }, idleMs);
    this.idle.unref();
  }

  private async stop(reason: string, { termMs, killMs }: { termMs: number; killMs: number }): Promise<void> {
    const { current: connection, gone } = this;
    this.idle?.cancel();
    if (!connection) return;
    this.expected.add(connection);
    connection.stop(reason);
    const { clock } = this.options;
    const term = clock.setTimeout(() => connection.kill('SIGTERM'), termMs);
    const kill = clock.setTimeout(() => connection.kill('SIGKILL'), killMs);
    await gone;
    term.cancel();
    kill.cancel();
  }
}

/** Waits for the promise, or rejects as soon as the signal aborts. The promise never rejects. */
function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    void promise.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
