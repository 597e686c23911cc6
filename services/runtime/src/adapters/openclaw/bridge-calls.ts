import { AbortedError, PlexusError } from '@plexus/kernel';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { Log } from '../../application/ports.js';
import type { BridgeCall, BridgeCommand } from './bridge-wire.js';

/** Calls of one bridge that go on at the same time; above it the bridge is not read further, or its request is refused. */
const MAX_REQUESTS = 64;
const MAX_TOLD = 64;
/** Has a command of its own: the runtime numbers and sends snapshots. */
const NOT_FOR_BRIDGES: readonly string[] = ['snapshot_sync'];

type Of<Type extends BridgeCall['type']> = Extract<BridgeCall, { type: Type }>;

export interface BridgeCallsOptions {
  readonly calls: MeshCalls;
  readonly log: Log;
  /** Sends the answer to the bridge. */
  readonly answer: (response: Extract<BridgeCommand, { type: 'cp_response' }>) => void;
  readonly onPressure: (full: boolean) => void;
}

/** What one bridge asks of the mesh and tells it. Ends with the bridge. */
export class BridgeCalls {
  private readonly stop = new AbortController();
  private requests = 0;
  private told = 0;

  constructor(private readonly options: BridgeCallsOptions) {}

  /** Asks the mesh; the bridge gets exactly one `cp_response` per request, unless it is gone before. */
  async request({ session_id, id, method, params }: Of<'cp_request'>): Promise<void> {
    const answer = (result: unknown, error: { code: string; message: string } | null): void =>
      this.options.answer({ type: 'cp_response', session_id, id, result, error });
    if (this.requests >= MAX_REQUESTS) {
      answer(null, { code: 'TOO_MANY_REQUESTS', message: `${MAX_REQUESTS} requests are going on already; wait for an answer.` });
      return;
    }
    this.requests++;
    try {
      answer((await this.options.calls.request(session_id, method, params, { signal: this.stop.signal })) ?? null, null);
    } catch (error) {
      if (!this.stop.signal.aborted) answer(null, this.problem(error, method));
    } finally {
      this.requests--;
    }
  }

  /** Tells the mesh; while the mesh's buffer is full the bridge is not read further. */
  async tell({ session_id, method, params }: Of<'cp_fire_and_forget'>): Promise<void> {
    const { calls, log, onPressure } = this.options;
    if (NOT_FOR_BRIDGES.includes(method)) {
      log('warn', 'bridge told something that has a line of its own', { sessionId: session_id, method });
      return;
    }
    if (++this.told === MAX_TOLD) onPressure(true);
    try {
      await calls.tell(session_id, method, params);
    } catch (error) {
      log('warn', 'what a bridge told did not reach the mesh', { sessionId: session_id, method, error });
    } finally {
      if (this.told-- === MAX_TOLD) onPressure(false);
    }
  }

  close(): void {
    this.stop.abort(new AbortedError('the bridge is gone'));
  }

  private problem(error: unknown, method: string): { code: string; message: string } {
    if (PlexusError.isPlexusError(error)) return { code: error.code, message: error.message };
    this.options.log('error', 'request of a bridge failed inside', { method, error });
    return { code: 'INTERNAL', message: 'Something failed inside the runtime; its log has the cause.' };
  }
}
