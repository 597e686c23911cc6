import { type ResponseOf, vmContracts as vm } from '@plexus/contracts';
import { CLOSE_CODES, type CloseCode, type VmFrame } from '@plexus/vm-protocol';
import { VmSessions } from '../../domain/vm-sessions.js';
import { persist } from '../persist.js';
import { Downlink } from './downlink.js';
import { PlainUplink } from './plain-uplink.js';
import { TokenRefresh } from './token-refresh.js';
import { Uplink, type UplinkFrame } from './uplink.js';
import type { VmIdentity, VmServices, VmWire } from './vm-ports.js';
import type { RequestLedger } from './request-ledger.js';
import type { VmTraces } from './vm-traces.js';
import { VmRequests } from './vm-requests.js';

export interface Admission {
  readonly identity: VmIdentity;
  readonly protocol: 1 | 2;
  readonly attached: ResponseOf<typeof vm.attachVm>;
  /** Highest contiguous downlink frame in the VM's journal. */
  readonly vmRecvSeq: number;
}

/** What outlives the connections of one VM incarnation in this process. */
export interface Incarnation {
  readonly ledger: RequestLedger;
  readonly traces: VmTraces;
  /** A plain runtime does not say what it has: where its last connection here left off. */
  plainDelivered: number;
}

type Beat = { readonly status: 'ok' | 'fenced' | 'replaced' | 'unknown'; readonly currentEpoch: number; readonly outboxHead: number; readonly desired: string };

const DETACH_LIMIT_MS = 5_000;

/** One admitted connection of one VM incarnation: hands frames to its collaborators, and ends once. */
export class VmConnection {
  readonly identity: VmIdentity;
  /** Heartbeats that the scheduler has not heard of yet: how many, and what the last one said. */
  pendingBeats = 0;
  activeSessions: readonly string[] = [];
  private readonly sessions = new VmSessions();
  private readonly ended = new AbortController();
  private readonly requests: VmRequests;
  private readonly downlink: Downlink;
  private readonly uplink: Uplink | undefined;
  private readonly plain: PlainUplink | undefined;
  private readonly tokens: TokenRefresh | undefined;
  private readonly onEnd: () => void;

  constructor(
    private readonly admission: Admission,
    private readonly services: VmServices,
    private readonly incarnation: Incarnation,
    private readonly wire: VmWire,
  ) {
    const { identity, attached, protocol, vmRecvSeq } = admission;
    const { signal } = this.ended;
    this.identity = identity;
    const skipped = this.sessions.learnAll(attached.init.sessions);
    if (skipped > 0) services.log.warn({ vmId: identity.vmId, skipped }, 'sessions in the answer to vm.attach that cannot be read');
    const { traces } = attached.init;
    if (Array.isArray(traces)) for (const traceparent of traces) incarnation.traces.learn(traceparent);
    this.requests = new VmRequests(identity, services, this.sessions, incarnation.ledger, wire, incarnation.traces);
    // What it had on another gateway, that one has told the scheduler.
    const delivered = protocol === 1 ? Math.max(incarnation.plainDelivered, attached.ackedSeq ?? 0) : vmRecvSeq;
    this.downlink = new Downlink(identity, services, this.sessions, incarnation.traces, wire, delivered, protocol === 1, signal, this.fenced);
    this.onEnd = () => {
      incarnation.plainDelivered = this.downlink.delivered;
    };
    if (attached.tokenRefreshMs !== undefined) this.tokens = new TokenRefresh(identity, services, wire, this.fenced);
    if (protocol === 2) this.uplink = new Uplink(identity, services, this.sessions, this.requests, wire, attached.serverRecvSeq, signal, this.fenced);
    else this.plain = new PlainUplink(identity, services, this.sessions, this.requests, wire, attached.serverRecvSeq, signal, this.fenced);
  }

  get open(): boolean {
    return !this.ended.signal.aborted;
  }

  /** Starts sending what waits for the VM. */
  start(): void {
    this.downlink.hint();
    this.tokens?.start();
  }

  /** A frame that fits the protocol. */
  receive(frame: VmFrame): void {
    if (!this.open) {
      this.services.counters.late += 1;
      return;
    }
    const { fack, fseq } = frame as { fack?: number; fseq?: number };
    if (fack !== undefined) this.downlink.acknowledge(fack);
    switch (frame.type) {
      case 'heartbeat':
        this.pendingBeats += 1;
        this.activeSessions = frame.active_sessions;
        return;
      case 'ack':
        return;
      case 'nack':
        this.downlink.rewind(frame.expected);
        return;
      case 'resume':
        void this.resume(frame.pending_ids);
        return;
      case 'spans':
        this.incarnation.traces.report(this.identity, frame);
        return;
      case 'auth':
        this.services.counters.badFrames += 1;
        return;
      default:
    }
    if (this.plain !== undefined) this.plain.receive(frame);
    else if (fseq !== undefined) this.uplink?.receive(fseq, frame);
    // Without a number it could not be acked and would be lost by the next reconnect: a defect of the runtime.
    else this.services.counters.badFrames += 1;
  }

  /** A frame that was refused but carries a number: it is consumed, or the VM would repeat it for ever. */
  refuse(fseq: number, frame: Extract<UplinkFrame, { type: 'refused' }>): void {
    if (this.open) this.uplink?.receive(fseq, frame);
  }

  /** The scheduler's answer to so many heartbeats; each gets its own ack, because the VM counts them. */
  beaten(beat: Beat, beats: number): void {
    if (!this.open) return;
    if (beat.status === 'fenced') this.fenced(beat);
    else if (beat.status === 'replaced') this.close(CLOSE_CODES.replaced);
    else if (beat.status === 'unknown') this.close(CLOSE_CODES.unknownVm);
    else {
      this.downlink.headIs(beat.outboxHead);
      if (this.admission.protocol === 1) return;
      const now = this.services.now();
      const ack = JSON.stringify({ type: 'heartbeat_ack', server_time: now, lease_until_ms: now + this.admission.attached.leaseMs, desired: beat.desired });
      for (let answered = 0; answered < beats; answered += 1) this.wire.send(ack);
    }
  }

  /** The outbox has something new. */
  hint(): void {
    if (this.open) this.downlink.hint();
  }

  close(code: CloseCode): void {
    this.wire.close(code);
    this.end();
  }

  /** The socket is gone. Stops all work that depends on it; idempotent. */
  end(): void {
    if (!this.open) return;
    this.ended.abort();
    this.uplink?.stop();
    this.downlink.stop();
    this.tokens?.stop();
    this.onEnd();
  }

  /** Tells the scheduler that the socket is gone. Not needed for correctness: without it the lease runs out. */
  async detach(): Promise<void> {
    const { tenant, vmId, epoch, connGen } = this.identity;
    const limit = AbortSignal.timeout(DETACH_LIMIT_MS);
    try {
      await persist(
        () => this.services.mesh.call(vm.detachVm, tenant, { vmId, epoch, connGen }, { principal: this.services.service(tenant), signal: limit }),
        limit,
      );
    } catch (error) {
      this.services.log.debug({ error, vmId }, 'the scheduler could not be told of a closed VM socket');
    }
  }

  /** Stops reading and moves the mark, so that the next gateway is not told things twice. */
  async drain(): Promise<void> {
    this.wire.pause();
    try {
      await this.uplink?.flush();
    } catch (error) {
      this.services.log.debug({ error, vmId: this.identity.vmId }, 'the uplink mark could not be moved before closing');
    }
  }

  /** Never rejects. */
  private async resume(ids: readonly string[]): Promise<void> {
    try {
      const results = await this.requests.resume(ids, this.ended.signal);
      this.wire.send(JSON.stringify({ type: 'resume_response', results }));
    } catch (error) {
      if (!this.open) return;
      this.services.log.error({ error, vmId: this.identity.vmId }, 'what became of the requests of a VM cannot be read');
      this.close(CLOSE_CODES.internal);
    }
  }

  private readonly fenced = (why: unknown): void => {
    if (!this.open) return;
    const current = currentEpoch(why) ?? this.identity.epoch + 1;
    this.services.log.info({ vmId: this.identity.vmId, epoch: this.identity.epoch, current }, 'a fenced VM incarnation is turned away');
    this.wire.send(JSON.stringify({ type: 'fenced', current_epoch: current }));
    this.close(CLOSE_CODES.fenced);
  };
}

/** The epoch that lives, from a heartbeat answer or from the details of VM_FENCED. */
export function currentEpoch(why: unknown): number | undefined {
  const { currentEpoch: direct, details } = (why ?? {}) as { currentEpoch?: unknown; details?: { currentEpoch?: unknown } };
  const value = direct ?? details?.currentEpoch;
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}
