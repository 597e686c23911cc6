import { vmContracts as vm } from '@plexus/contracts';
import { CLOSE_CODES, FrameReceiver, type VmFrame, type VmFrameOf } from '@plexus/vm-protocol';
import { hasCode } from '../../domain/client-error.js';
import { DurablePrefix } from '../../domain/durable-prefix.js';
import type { VmSessions } from '../../domain/vm-sessions.js';
import { persist } from '../persist.js';
import { readSseEvent } from './sse-event.js';
import type { SessionEventInput, VmIdentity, VmServices, VmWire } from './vm-ports.js';
import type { VmRequests } from './vm-requests.js';

/** A frame that was read, or one that was refused but still has its number. */
export type UplinkFrame = VmFrame | { readonly type: 'refused'; readonly refusedType: string | undefined; readonly reason: string };

/** The mark moves after so long or so many frames, whichever comes first. */
const MARK_DELAY_MS = 50;
const MARK_FRAMES = 32;
/** Beyond this many frames in work the socket is not read, until half of them are done. */
const MAX_IN_WORK = 2_000;

/**
 * The reliable direction from a VM: puts frames in order, gives each its effect, and acks only what is durable.
 *
 * Events of one session are published one after another (a lost and repeated publish must not overtake its successor), sessions in
 * parallel. Everything else goes to the scheduler in frame order, each frame only when all before it are durable. The scheduler's mark
 * moves before the ack: a VM forgets what was acked, so whoever takes over must know at least as much.
 */
export class Uplink {
  private readonly receiver: FrameReceiver<UplinkFrame>;
  private readonly prefix: DurablePrefix;
  /** Work chained per session, and for the scheduler under the empty name. */
  private readonly lanes = new Map<string, Promise<void>>();
  private marked: number;
  private marking: Promise<void> | undefined;
  private markTimer: ReturnType<typeof setTimeout> | undefined;
  private gapTimer: ReturnType<typeof setTimeout> | undefined;
  private prefixWaiters: { readonly upTo: number; readonly resolve: () => void }[] = [];
  private inWork = 0;
  private paused = false;

  constructor(
    private readonly identity: VmIdentity,
    private readonly services: VmServices,
    private readonly sessions: VmSessions,
    private readonly requests: VmRequests,
    private readonly wire: VmWire,
    durable: number,
    private readonly signal: AbortSignal,
    private readonly onFenced: (error: unknown) => void,
  ) {
    this.receiver = new FrameReceiver({ durable });
    this.prefix = new DurablePrefix(durable);
    this.marked = durable;
  }

  /** Takes the next frame with a number. */
  receive(fseq: number, frame: UplinkFrame): void {
    const received = this.receiver.receive(fseq, frame, this.services.monotonic());
    if (received.kind === 'duplicate') {
      if (fseq <= this.receiver.durable) this.acknowledge();
      return;
    }
    if (received.kind === 'gap') {
      if (received.nack !== undefined) this.wire.send(JSON.stringify({ type: 'nack', expected: received.nack }));
      this.watchGap();
      return;
    }
    for (const { fseq: number, frame: next } of received.frames) this.start(number, next);
    this.watchGap();
  }

  /** Moves the mark to what is durable now; for an orderly end of the connection. */
  async flush(): Promise<void> {
    await this.mark();
  }

  stop(): void {
    clearTimeout(this.markTimer);
    clearTimeout(this.gapTimer);
    for (const { resolve } of this.prefixWaiters.splice(0)) resolve();
  }

  private start(fseq: number, frame: UplinkFrame): void {
    this.inWork += 1;
    if (this.inWork > MAX_IN_WORK && !this.paused) {
      this.paused = true;
      this.wire.pause();
    }
    const event = frame.type === 'sse_event' ? readSseEvent(frame, this.sessions, this.identity, this.services.counters) : undefined;
    if (event !== undefined) {
      const { session_id: sessionId, traceparent } = frame as VmFrameOf<'sse_event'>;
      this.enqueue(sessionId, fseq, () => this.publish(fseq, frame, event, traceparent));
    } else if (frame.type === 'request' && this.requests.answers(frame.method)) {
      // Requests wait for nobody: their answer carries their id.
      void this.settle(fseq, () => this.requests.answer(frame));
    } else {
      if (frame.type !== 'refused') this.requests.noteUnknown(frame);
      this.enqueue('', fseq, () => this.submit(fseq, frame));
    }
  }

  private enqueue(lane: string, fseq: number, work: () => Promise<void>): void {
    const chained = (this.lanes.get(lane) ?? Promise.resolve()).then(() => this.settle(fseq, work));
    this.lanes.set(lane, chained);
    void chained.then(() => {
      if (this.lanes.get(lane) === chained) this.lanes.delete(lane);
    });
  }

  /** Runs the effect of one frame and notes that it is durable. Never rejects. */
  private async settle(fseq: number, work: () => Promise<void>): Promise<void> {
    try {
      if (this.signal.aborted) return;
      await work();
      this.complete(fseq);
    } catch (error) {
      if (this.signal.aborted) return;
      if (hasCode(error, 'VM_FENCED')) this.onFenced(error);
      else {
        // Nothing is acked any more: the VM will replay on its next connection.
        this.services.log.error({ error, vmId: this.identity.vmId, fseq }, 'an uplink frame could not be handled');
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

  private async publish(fseq: number, frame: UplinkFrame, event: SessionEventInput, traceparent: string | undefined): Promise<void> {
    const { tenant, vmId, epoch } = this.identity;
    try {
      await persist(() => this.services.events.publish(tenant, event, { msgId: `${vmId}:${epoch}:${fseq}`, traceparent }), this.signal, this.warn('publish'));
    } catch (error) {
      if (this.signal.aborted) throw error;
      // Too large, or not what the contract allows: no repetition helps.
      await this.submit(fseq, frame);
    }
  }

  /** Hands a frame to the scheduler, which applies it or keeps it as a dead letter, and moves the mark with it. */
  private async submit(fseq: number, frame: UplinkFrame): Promise<void> {
    const { tenant, vmId, epoch } = this.identity;
    await this.durableUpTo(fseq - 1);
    await persist(() => this.mark(fseq - 1), this.signal, this.warn('mark'));
    try {
      const { recvSeq, snapshot } = await persist(
        () =>
          this.services.mesh.call(
            vm.submitVmFrame,
            tenant,
            { vmId, epoch, fseq, frame: { ...frame } },
            { principal: this.services.service(tenant), signal: this.signal },
          ),
        this.signal,
        this.warn('frame'),
      );
      this.marked = Math.max(this.marked, recvSeq);
      this.confirm(frame, snapshot);
    } catch (error) {
      if (this.signal.aborted || hasCode(error, 'VM_FENCED')) throw error;
      this.services.counters.refused += 1;
      this.services.log.warn({ error, vmId, epoch, fseq, type: frame.type }, 'the scheduler refused an uplink frame; it is consumed');
    }
  }

  /** Tells the VM that a snapshot that it numbered is kept, or a newer one. One that was refused is not confirmed. */
  private confirm(frame: UplinkFrame, kept: number | undefined): void {
    if (frame.type !== 'fire_and_forget' || frame.method !== 'snapshot_sync' || kept === undefined) return;
    const { version } = frame.params;
    if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0 || version > kept) return;
    this.wire.send(JSON.stringify({ type: 'snapshot_ack', session_id: frame.session_id, version }));
  }

  private complete(fseq: number): void {
    if (!this.prefix.complete(fseq)) return;
    const ready = this.prefixWaiters.filter(({ upTo }) => upTo <= this.prefix.value);
    this.prefixWaiters = this.prefixWaiters.filter(({ upTo }) => upTo > this.prefix.value);
    for (const { resolve } of ready) resolve();
    if (this.prefix.value - this.marked >= MARK_FRAMES) void this.keepMarking();
    else this.markTimer ??= setTimeout(() => void this.keepMarking(), MARK_DELAY_MS);
  }

  private durableUpTo(upTo: number): Promise<void> {
    if (this.prefix.value >= upTo) return Promise.resolve();
    return new Promise((resolve) => {
      this.prefixWaiters.push({ upTo, resolve });
    });
  }

  /** Moves the mark until it stands where the prefix does, then acks. One at a time. */
  private async keepMarking(): Promise<void> {
    clearTimeout(this.markTimer);
    this.markTimer = undefined;
    try {
      await persist(() => this.mark(), this.signal, this.warn('mark'));
    } catch (error) {
      if (this.signal.aborted) return;
      if (hasCode(error, 'VM_FENCED')) this.onFenced(error);
      else {
        this.services.log.error({ error, vmId: this.identity.vmId }, 'the uplink mark cannot be moved');
        this.wire.close(CLOSE_CODES.internal);
      }
    }
  }

  /** Moves the scheduler's mark to everything durable, at least to `atLeast`, and acks. */
  private async mark(atLeast = 0): Promise<void> {
    while (this.marking !== undefined) await this.marking;
    const target = this.prefix.value;
    if (target > this.marked && (atLeast === 0 || this.marked < atLeast)) {
      this.marking = this.moveMark(target).finally(() => {
        this.marking = undefined;
      });
      await this.marking;
    }
    this.acknowledgeMarked();
  }

  private async moveMark(target: number): Promise<void> {
    const { tenant, vmId, epoch } = this.identity;
    await this.services.mesh.call(vm.markVmInbox, tenant, { vmId, epoch, upTo: target }, { principal: this.services.service(tenant), signal: this.signal });
    this.marked = Math.max(this.marked, target);
  }

  private acknowledgeMarked(): void {
    const upTo = Math.min(this.marked, this.prefix.value);
    let moved = false;
    for (let fseq = this.receiver.durable + 1; fseq <= upTo; fseq += 1) moved = this.receiver.complete(fseq, this.services.monotonic()) || moved;
    if (moved) this.acknowledge();
  }

  private acknowledge(): void {
    this.wire.send(JSON.stringify({ type: 'ack', fack: this.receiver.takeAck() }));
  }

  private watchGap(): void {
    const dueAt = this.receiver.gapDueAt;
    if (dueAt === undefined) {
      clearTimeout(this.gapTimer);
      this.gapTimer = undefined;
      return;
    }
    this.gapTimer ??= setTimeout(
      () => {
        this.gapTimer = undefined;
        const due = this.receiver.gapDueAt;
        if (due === undefined) return;
        if (due <= this.services.monotonic()) this.wire.close(CLOSE_CODES.gap);
        else this.watchGap();
      },
      Math.max(0, dueAt - this.services.monotonic()) + 1,
    );
  }

  private warn(what: string): (error: unknown) => void {
    return (error) => this.services.log.debug({ error, vmId: this.identity.vmId, what }, 'an uplink step failed and is tried again');
  }
}
