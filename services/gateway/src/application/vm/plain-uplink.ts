import { vmContracts as vm } from '@plexus/contracts';
import { CLOSE_CODES, type VmFrame, type VmFrameOf } from '@plexus/vm-protocol';
import { hasCode } from '../../domain/client-error.js';
import type { VmSessions } from '../../domain/vm-sessions.js';
import { persist } from '../persist.js';
import { readSseEvent } from './sse-event.js';
import type { VmIdentity, VmServices, VmWire } from './vm-ports.js';
import type { VmRequests } from './vm-requests.js';

const MAX_IN_WORK = 2_000;

/**
 * The direction from a runtime that does not number its frames. What it sends is handled in order, one frame after another; runs are
 * numbered here, behind the last number of the run that the session's stream has. Events with a `seq` are acked once they are stored.
 */
export class PlainUplink {
  private chain: Promise<void> = Promise.resolve();
  private readonly numbers = new Map<string, { readonly runId: string; readonly runSeq: number }>();
  private inWork = 0;
  private paused = false;

  constructor(
    private readonly identity: VmIdentity,
    private readonly services: VmServices,
    private readonly sessions: VmSessions,
    private readonly requests: VmRequests,
    private readonly wire: VmWire,
    /** The scheduler wants numbers: they continue behind its mark. */
    private lastFseq: number,
    private readonly signal: AbortSignal,
    private readonly onFenced: (error: unknown) => void,
  ) {}

  receive(frame: VmFrame): void {
    this.inWork += 1;
    if (this.inWork > MAX_IN_WORK && !this.paused) {
      this.paused = true;
      this.wire.pause();
    }
    if (frame.type === 'request' && this.requests.answers(frame.method)) {
      void this.settle(() => this.requests.answer(frame));
      return;
    }
    this.requests.noteUnknown(frame);
    this.chain = this.chain.then(() => this.settle(() => (frame.type === 'sse_event' ? this.publish(frame) : this.submit(frame))));
  }

  private async settle(work: () => Promise<void>): Promise<void> {
    try {
      if (!this.signal.aborted) await work();
    } catch (error) {
      if (this.signal.aborted) return;
      if (hasCode(error, 'VM_FENCED')) this.onFenced(error);
      else {
        this.services.log.error({ error, vmId: this.identity.vmId }, 'an uplink frame could not be handled');
        this.wire.close(CLOSE_CODES.internal);
      }
    } finally {
      this.inWork -= 1;
      if (this.paused && this.inWork <= MAX_IN_WORK / 2) {
        this.paused = false;
        this.wire.resume();
      }
    }
  }

  private async publish(frame: VmFrameOf<'sse_event'>): Promise<void> {
    const event = readSseEvent(frame, this.sessions, this.identity, this.services.counters);
    if (event === undefined) {
      await this.submit(frame);
      return;
    }
    const { tenant, vmId, epoch } = this.identity;
    const runSeq = event.runId === undefined ? undefined : await this.nextNumber(frame.session_id, event.runId);
    const msgId = frame.seq === undefined ? null : `${vmId}:${epoch}:${frame.session_id}:${frame.seq}`;
    const data = runSeq === undefined ? event : { ...event, runSeq };
    await persist(() => this.services.events.publish(tenant, data, { msgId, traceparent: undefined }), this.signal);
    if (frame.seq !== undefined) this.wire.send(JSON.stringify({ type: 'ack', session_id: frame.session_id, seq: frame.seq }));
  }

  private async nextNumber(sessionId: string, runId: string): Promise<number> {
    const known = this.numbers.get(sessionId);
    // Only the first run of the session on this connection can have begun before it.
    const last =
      known === undefined
        ? await persist(() => this.services.events.lastNumber(this.identity.tenant, sessionId, runId, this.signal), this.signal)
        : known.runId === runId
          ? known.runSeq
          : 0;
    const runSeq = last + 1;
    this.numbers.set(sessionId, { runId, runSeq });
    return runSeq;
  }

  private async submit(frame: VmFrame): Promise<void> {
    const { tenant, vmId, epoch } = this.identity;
    const fseq = this.lastFseq + 1;
    try {
      const { recvSeq } = await persist(
        () =>
          this.services.mesh.call(
            vm.submitVmFrame,
            tenant,
            { vmId, epoch, fseq, frame: { ...frame } },
            { principal: this.services.service(tenant), signal: this.signal },
          ),
        this.signal,
      );
      this.lastFseq = Math.max(fseq, recvSeq);
    } catch (error) {
      if (this.signal.aborted || hasCode(error, 'VM_FENCED')) throw error;
      this.services.counters.refused += 1;
      this.services.log.warn({ error, vmId, epoch, type: frame.type }, 'the scheduler refused an uplink frame of a plain runtime');
    }
  }
}
