import { CLOSE_CODES, type CloseCode, BadFrameBudget, decodeVmFrame, LIMITS, TokenBucket, type VmFrameOf } from '@plexus/vm-protocol';
import type { RawData, WebSocket } from 'ws';
import { admitVm, initFrame } from '../../application/vm/admit-vm.js';
import type { VmConnection } from '../../application/vm/vm-connection.js';
import type { VmConnections } from '../../application/vm/vm-connections.js';
import type { VmServices, VmWire } from '../../application/vm/vm-ports.js';
import type { Due } from './due.js';
import { setMaxPayload } from './ws-internals.js';

export interface VmSocketOptions {
  readonly authMs: number;
  readonly frameBytes: number;
  readonly framesPerSecond: number;
  readonly frameBurst: number;
}

export interface VmSocketEvents {
  onClosed(socket: VmSocket, code: number): void;
  onFrames(direction: 'received' | 'sent'): void;
}

/** A VM that leaves more than this unread is not worth its memory. */
const MAX_BUFFERED_BYTES = LIMITS.unackedBytes + LIMITS.frameBytes;
const MAX_EARLY_FRAMES = LIMITS.holdFrames;
/** A reliable runtime that is faster than the rate limit is not read for so long at a time. */
const RATE_PAUSE_MS = 20;
/** Longest admission: the scheduler may be restarting. */
const ADMISSION_MS = 30_000;

type Phase = 'waiting' | 'admitting' | 'open' | 'closed';

/** One VM socket: authentication, limits and the shape of frames; what they mean is the connection's business. */
export class VmSocket implements VmWire {
  awaitingPong = false;
  /** Kept by the liveness wheel. */
  due: Due | undefined;
  private phase: Phase = 'waiting';
  private connection: VmConnection | undefined;
  private readonly early: string[] = [];
  private readonly bad = new BadFrameBudget();
  private readonly rate: TokenBucket;
  private readonly gone = new AbortController();
  private readonly authTimer: NodeJS.Timeout;
  private rateTimer: NodeJS.Timeout | undefined;
  private readonly holds = new Set<'work' | 'rate'>();

  constructor(
    private readonly ws: WebSocket,
    private readonly query: { readonly userId: string | undefined; readonly ticket: string | undefined },
    private readonly connections: VmConnections,
    private readonly services: VmServices,
    private readonly options: VmSocketOptions,
    private readonly events: VmSocketEvents,
  ) {
    this.rate = new TokenBucket(options.framesPerSecond, options.frameBurst);
    // When this process was held up its frame may wait to be read: that is done before the check phase of the event loop.
    this.authTimer = setTimeout(() => setImmediate(() => this.phase === 'waiting' && this.close(CLOSE_CODES.handshakeTimeout)), options.authMs);
    ws.on('message', (data, binary) => this.receive(data, binary));
    ws.on('pong', () => {
      this.awaitingPong = false;
    });
    ws.on('close', (code) => this.finish(code));
    // ws closes by itself behind an error; the close event keeps the books.
    ws.on('error', () => undefined);
    if (query.userId === undefined) this.close(CLOSE_CODES.unauthenticated);
  }

  get open(): boolean {
    return this.phase !== 'closed' && this.ws.readyState === this.ws.OPEN;
  }

  get bufferedBytes(): number {
    return this.ws.bufferedAmount;
  }

  send(text: string): boolean {
    if (!this.open) return false;
    if (this.ws.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.close(CLOSE_CODES.slowConsumer);
      return false;
    }
    this.ws.send(text, () => undefined); // A failed write closes the socket; the close event tells.
    this.events.onFrames('sent');
    return true;
  }

  pause(): void {
    this.holdBack('work');
  }

  resume(): void {
    this.letGo('work');
  }

  ping(): void {
    this.awaitingPong = true;
    this.ws.ping();
  }

  terminate(): void {
    this.ws.terminate();
  }

  close({ code, reason }: CloseCode): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    // A paused socket would never read the peer's close frame.
    if (this.ws.isPaused) this.ws.resume();
    this.ws.close(code, reason);
  }

  private receive(data: RawData, binary: boolean): void {
    if (this.phase === 'closed') {
      this.services.counters.late += 1;
      return;
    }
    this.events.onFrames('received');
    if (binary) {
      this.close(CLOSE_CODES.binaryFrame);
      return;
    }
    const text = String(data);
    const withinRate = this.rate.take(this.services.monotonic());
    if (this.phase === 'open') this.receiveFrame(text, withinRate);
    else if (!withinRate) this.close(CLOSE_CODES.rateLimited);
    else if (this.phase === 'waiting') this.receiveAuth(text);
    else this.hold(text);
  }

  /** Stops reading until every reason to do so is gone. */
  private holdBack(reason: 'work' | 'rate'): void {
    this.holds.add(reason);
    this.ws.pause();
  }

  private letGo(reason: 'work' | 'rate'): void {
    this.holds.delete(reason);
    if (this.holds.size === 0) this.ws.resume();
  }

  private hold(text: string): void {
    if (this.early.length < MAX_EARLY_FRAMES) this.early.push(text);
    else this.close(CLOSE_CODES.rateLimited);
  }

  private receiveFrame(text: string, withinRate = true): void {
    const frame = decodeVmFrame(text, { maxBytes: this.options.frameBytes });
    if (!withinRate) {
      const numbered = frame.ok && (frame.value as { fseq?: number }).fseq !== undefined;
      if (!numbered) {
        this.close(CLOSE_CODES.rateLimited);
        return;
      }
      // A replay comes as fast as the wire allows. To close would make the VM replay again, for ever; its socket holds it back instead.
      this.holdBack('rate');
      this.rateTimer ??= setTimeout(() => {
        this.rateTimer = undefined;
        this.letGo('rate');
      }, RATE_PAUSE_MS);
    }
    if (frame.ok) {
      this.connection?.receive(frame.value);
      return;
    }
    const { code, reason, bytes, type, fseq } = frame.error;
    this.services.counters.badFrames += 1;
    this.services.log.warn({ code, reason, bytes, type, vmId: this.connection?.identity.vmId }, 'a bad frame of a VM was skipped');
    if (fseq !== undefined) this.connection?.refuse(fseq, { type: 'refused', refusedType: type, reason });
    if (this.bad.note(this.services.monotonic())) this.close(CLOSE_CODES.tooManyBadFrames);
  }

  private receiveAuth(text: string): void {
    const frame = decodeVmFrame(text);
    if (!frame.ok || frame.value.type !== 'auth' || this.query.userId === undefined) {
      this.close(CLOSE_CODES.unauthenticated);
      return;
    }
    clearTimeout(this.authTimer);
    this.phase = 'admitting';
    void this.admit(frame.value, this.query.userId);
  }

  private async admit(auth: VmFrameOf<'auth'>, userId: string): Promise<void> {
    const signal = AbortSignal.any([this.gone.signal, AbortSignal.timeout(ADMISSION_MS)]);
    const admitted = await admitVm({ userId, ticket: this.query.ticket, auth }, this.services, signal);
    if (this.phase !== 'admitting') return;
    if (!admitted.ok) {
      const { close, currentEpoch } = admitted.error;
      if (currentEpoch !== undefined) this.send(JSON.stringify({ type: 'fenced', current_epoch: currentEpoch }));
      this.close(close);
      return;
    }
    setMaxPayload(this.ws, this.options.frameBytes);
    this.send(JSON.stringify(initFrame(admitted.value, this.services.tracing.perSecond)));
    this.phase = 'open';
    this.connection = this.connections.add(admitted.value, this);
    this.services.log.info(
      { vmId: admitted.value.identity.vmId, epoch: admitted.value.identity.epoch, protocol: admitted.value.protocol },
      'a VM is connected',
    );
    for (const text of this.early.splice(0)) this.receiveFrame(text);
    this.connection.start();
  }

  private finish(code: number): void {
    this.phase = 'closed';
    clearTimeout(this.authTimer);
    clearTimeout(this.rateTimer);
    this.gone.abort();
    this.early.length = 0;
    if (this.connection !== undefined) void this.connections.remove(this.connection);
    this.events.onClosed(this, code);
  }
}
