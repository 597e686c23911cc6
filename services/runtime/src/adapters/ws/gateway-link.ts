import { AbortedError, fullJitter } from '@plexus/kernel';
import { CLOSE_CODES, EXIT_CODES, LIMITS, RECONNECT_ALERT_AFTER, reconnectPolicy } from '@plexus/vm-protocol/link';
import { type ConnectionEnd, GatewayConnection } from './gateway-connection.js';
import type { LinkContext } from './link-context.js';

/** Why the process has nothing left to do, with the code it exits with. */
export interface LinkExit {
  readonly code: number;
  readonly reason: string;
}

const BACKOFF = { baseMs: 500, capMs: 15_000 };
const MIN_DELAY_MS = 100;
const PULSE_MS = 1_000;
const GOODBYE_MS = 2_000;

/** Keeps one connection to the mesh alive for as long as the process may live: reconnects for ever, beats, and fences itself. */
export class GatewayLink {
  private connection: GatewayConnection | undefined;
  private fencedOff: (exit: LinkExit) => void = () => undefined;

  constructor(private readonly context: LinkContext) {
    context.uplink.onFrame = () => this.connection?.pump();
  }

  /** Ends when the mesh refuses us for good, when it was silent for too long, or when the signal aborts. */
  async run(signal: AbortSignal): Promise<LinkExit> {
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const abandoned = new Promise<LinkExit>((resolve) => {
      this.fencedOff = resolve;
    });
    const loops = [this.connectForEver(both), abandoned];
    const pulse = this.pulse(both);
    try {
      return await Promise.race(loops);
    } finally {
      stop.abort();
      this.connection?.close(1000, 'the runtime stops');
      const gone = this.connection?.ended ?? Promise.resolve();
      await Promise.race([Promise.all([gone, loops[0], pulse]), this.context.clock.sleep(GOODBYE_MS)]);
    }
  }

  private async connectForEver(signal: AbortSignal): Promise<LinkExit> {
    const { clock, log, counters } = this.context;
    for (let failures = 0; !signal.aborted; ) {
      const connection = new GatewayConnection(this.context, this.address());
      this.connection = connection;
      const onAbort = (): void => connection.close(1000, 'the runtime stops');
      signal.addEventListener('abort', onAbort, { once: true });
      const end = await connection.ended;
      signal.removeEventListener('abort', onAbort);
      if (signal.aborted) break;
      const exit = this.exitFor(end);
      if (exit) return exit;
      failures = end.worked ? 0 : failures + 1;
      counters.reconnects++;
      if (failures > 0 && failures % RECONNECT_ALERT_AFTER === 0) log('error', 'the mesh cannot be reached, trying on', { failures, code: end.code });
      const delayMs = this.delayAfter(end, failures);
      log('info', 'connection lost', { code: end.code, error: end.error, failures, delayMs });
      await clock.sleep(delayMs, signal).catch(onlyAborts);
    }
    return { code: EXIT_CODES.stopped, reason: 'asked to stop' };
  }

  private exitFor(end: ConnectionEnd): LinkExit | undefined {
    if (end.unrepairable) return { code: EXIT_CODES.failed, reason: end.unrepairable };
    if (reconnectPolicy(end.code) !== 'never') return undefined;
    if (end.code === CLOSE_CODES.fenced.code) return { code: EXIT_CODES.fenced, reason: 'a newer incarnation of this VM exists' };
    if (end.code === CLOSE_CODES.replaced.code) return { code: EXIT_CODES.fenced, reason: 'another process holds the connection of this VM' };
    return { code: EXIT_CODES.refused, reason: `the mesh refuses this VM (close code ${end.code})` };
  }

  /** Full jitter from half a second on; a gateway that drains sends us elsewhere without a wait. */
  private delayAfter(end: ConnectionEnd, failures: number): number {
    if (reconnectPolicy(end.code) === 'at-once' && failures <= 1) return MIN_DELAY_MS;
    return MIN_DELAY_MS + fullJitter(failures, { ...BACKOFF, ...(this.context.random && { random: this.context.random }) });
  }

  private address(): string {
    const { url, identity, ticket } = this.context;
    const address = new URL(url);
    address.searchParams.set('user_id', identity.userId);
    // Asked for on the first connection only; until `init` has come its answer may have been lost, so it is shown again.
    if (!this.context.isAccepted()) address.searchParams.set('ticket', ticket);
    return address.href;
  }

  /** Heartbeats and the fence. A failing step is logged and counted and the loop goes on: it never ends while the process lives. */
  private async pulse(signal: AbortSignal): Promise<void> {
    const { clock, log, counters } = this.context;
    let stage = this.context.fence.stage;
    while (!signal.aborted) {
      try {
        this.connection?.beat();
        this.connection?.tellSpans();
        const now = this.context.fence.stage;
        if (now !== stage) log(now === 'open' ? 'info' : 'warn', 'fence moved', { from: stage, to: now });
        stage = now;
        if (stage === 'exit') this.fencedOff({ code: EXIT_CODES.abandoned, reason: `no answer from the mesh for ${LIMITS.fenceExitMs / 60_000} minutes` });
      } catch (error) {
        counters.loopRestarts++;
        log('error', 'heartbeat step failed, going on', { error, restarts: counters.loopRestarts });
      }
      await clock.sleep(Math.min(PULSE_MS, (this.connection?.heartbeatMs ?? LIMITS.heartbeatMs) / 4), signal).catch(onlyAborts);
    }
  }
}

function onlyAborts(error: unknown): void {
  if (!(error instanceof AbortedError)) throw error;
}
