import { vmContracts as vm } from '@plexus/contracts';
import { CLOSE_CODES } from '@plexus/vm-protocol';
import { hasCode } from '../../domain/client-error.js';
import type { VmSessions } from '../../domain/vm-sessions.js';
import { pause, persist } from '../persist.js';
import type { VmIdentity, VmServices, VmWire } from './vm-ports.js';
import type { VmTraces } from './vm-traces.js';

const PAGE = 64;
/** Frames on their way to the VM that it has not acked. */
const WINDOW = 256;
const ACK_DELAY_MS = 50;
const DRAINED_BYTES = 1_048_576;
const DRAIN_POLL_MS = 20;
/** What a VM may leave unread in its socket for a minute. */
const STALL_MS = 60_000;

/**
 * The direction to a VM: reads its outbox in order, sends, and tells the scheduler what the VM has in its journal. A hint, a heartbeat answer
 * or the connection itself starts it; it stops when the outbox is empty or the VM has enough to do.
 */
export class Downlink {
  private acked: number;
  private ackedAtScheduler: number;
  private pumping = false;
  private again = false;
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private acking = false;

  constructor(
    private readonly identity: VmIdentity,
    private readonly services: VmServices,
    private readonly sessions: VmSessions,
    private readonly traces: VmTraces,
    private readonly wire: VmWire,
    /** Number of the last frame that the VM is known to have, and with it the place to read on from. */
    private cursor: number,
    /** A plain runtime acks nothing: what was written to its socket counts as delivered, and numbers are left out. */
    private readonly plain: boolean,
    private readonly signal: AbortSignal,
    private readonly onFenced: (error: unknown) => void,
  ) {
    this.acked = cursor;
    // Attaching told the scheduler already.
    this.ackedAtScheduler = cursor;
  }

  /** Highest frame that was handed over. */
  get delivered(): number {
    return this.acked;
  }

  /** There may be something new. */
  hint(): void {
    this.again = true;
    if (this.pumping) return;
    this.pumping = true;
    this.pump()
      .catch((error: unknown) => {
        if (this.signal.aborted) return;
        if (hasCode(error, 'VM_FENCED')) this.onFenced(error);
        else {
          this.services.log.error({ error, vmId: this.identity.vmId }, 'the outbox of a VM cannot be read');
          this.wire.close(CLOSE_CODES.internal);
        }
      })
      .finally(() => {
        this.pumping = false;
      });
  }

  /** The scheduler's newest frame number: behind it something waits. */
  headIs(head: number): void {
    if (head > this.cursor) this.hint();
  }

  /** The VM has everything up to `fack` in its journal. */
  acknowledge(fack: number): void {
    if (fack <= this.acked || fack > this.cursor) return;
    this.acked = fack;
    this.scheduleAck();
    this.hint();
  }

  /** The VM misses everything from `expected` on. */
  rewind(expected: number): void {
    if (expected <= this.acked || expected > this.cursor) return;
    this.cursor = expected - 1;
    this.hint();
  }

  stop(): void {
    clearTimeout(this.ackTimer);
  }

  private async pump(): Promise<void> {
    while (this.again) {
      this.again = false;
      while (this.wire.open && this.cursor - this.acked < WINDOW) {
        await this.drained();
        const { tenant, vmId, epoch, connGen } = this.identity;
        const after = this.cursor;
        const { frames } = await persist(
          () =>
            this.services.mesh.call(
              vm.readOutbox,
              tenant,
              { vmId, epoch, connGen, after, limit: PAGE },
              { principal: this.services.service(tenant), signal: this.signal },
            ),
          this.signal,
          (error) => this.services.log.debug({ error, vmId }, 'the outbox could not be read and is tried again'),
        );
        // A nack moved the cursor while we read: what came is no longer the next.
        if (after !== this.cursor) continue;
        if (frames.length === 0) break;
        for (const { fseq, frame } of frames) this.transmit(fseq, frame);
      }
    }
  }

  private transmit(fseq: number, frame: Readonly<Record<string, unknown>>): void {
    if (fseq <= this.cursor) return;
    this.sessions.learnFrom(frame);
    this.traces.learnFrom(frame);
    const { fseq: _stale, ...plainFrame } = frame;
    this.wire.send(JSON.stringify(this.plain ? plainFrame : { ...frame, fseq }));
    this.cursor = fseq;
    if (!this.plain) return;
    this.acked = fseq;
    this.scheduleAck();
  }

  private async drained(): Promise<void> {
    const deadline = this.services.monotonic() + STALL_MS;
    while (this.wire.open && this.wire.bufferedBytes > DRAINED_BYTES) {
      if (this.services.monotonic() > deadline) this.wire.close(CLOSE_CODES.slowConsumer);
      await pause(DRAIN_POLL_MS, this.signal);
    }
  }

  private scheduleAck(): void {
    this.ackTimer ??= setTimeout(() => {
      this.ackTimer = undefined;
      void this.sendAck();
    }, ACK_DELAY_MS);
  }

  private async sendAck(): Promise<void> {
    if (this.acking) return;
    this.acking = true;
    const { tenant, vmId, epoch } = this.identity;
    try {
      while (this.ackedAtScheduler < this.acked) {
        const upTo = this.acked;
        await persist(
          () => this.services.mesh.call(vm.ackOutbox, tenant, { vmId, epoch, upTo }, { principal: this.services.service(tenant), signal: this.signal }),
          this.signal,
        );
        this.ackedAtScheduler = upTo;
      }
    } catch (error) {
      if (this.signal.aborted) return;
      if (hasCode(error, 'VM_FENCED')) this.onFenced(error);
      // Not worth a connection: the next ack says the same and more.
      else this.services.log.warn({ error, vmId }, 'the scheduler refused an outbox ack');
    } finally {
      this.acking = false;
    }
  }
}
