import { CLOSE_CODES, type FrameProblem, LIMITS, type MeshFrame, type MeshFrameOf, withFack } from '@plexus/vm-protocol/link';
import type { CommandFrame } from '../../domain/journal-state.js';
import { HeartbeatBook } from '../../domain/heartbeat-book.js';
import type { LinkContext, LinkSocket } from './link-context.js';

/** How a connection ended. */
export interface ConnectionEnd {
  readonly code: number;
  /** The socket's own words, where it had any. */
  readonly error?: string;
  /** A heartbeat was answered: the connection worked. */
  readonly worked: boolean;
  /** Why no other connection would do better: frames are missing that no replay can bring back, or a part of this program is. */
  readonly unrepairable?: string;
}

/** Bytes that may wait in the socket before the next frame waits in the spool instead. */
const SOCKET_HIGH_WATER = 1024 * 1024;
const CLOSE_GRACE_MS = 1_000;
/** Frames that wait for the answer to `resume` go on without it after so long: nothing in them depends on it. */
const RESUME_WAIT_MS = 10_000;
/** `readyState` of a socket whose opening goes on. */
const CONNECTING = 0;
/** Own verdict on a dead socket; never sent. */
const DEAD = 1006;

const COMMANDS = new Set<MeshFrame['type']>(['start_session', 'stop_session', 'user_message', 'cancel', 'config_update']);

const isCommand = (frame: MeshFrame): frame is CommandFrame => COMMANDS.has(frame.type);

/** A frame that came before its turn; without `frame` one that was refused and only has its number. */
interface HeldFrame {
  readonly fseq?: number;
  readonly frame?: MeshFrame;
}

/**
 * One WebSocket from its opening to its end. Its message handler is the only reader of the socket; whoever waits for something waits on a
 * promise. Frames that come before `init`, and numbered ones that come before the answer to `resume`, are held and processed after it.
 */
export class GatewayConnection {
  readonly ended: Promise<ConnectionEnd>;
  private finish: (end: ConnectionEnd) => void = () => undefined;
  private readonly socket: LinkSocket;
  private state: 'connecting' | 'greeting' | 'live' | 'over' = 'connecting';
  private book: HeartbeatBook | undefined;
  private worked = false;
  private readonly held: HeldFrame[] = [];
  /** `resume` was sent and not answered yet. */
  private resuming: { cancel(): void } | undefined;
  private closing = false;
  private readonly handshakeTimer: { cancel(): void };
  private timer: { cancel(): void } | undefined;
  private pumpScheduled: NodeJS.Immediate | undefined;
  private blocked = false;
  private error: string | undefined;

  constructor(
    private readonly context: LinkContext,
    url: string,
  ) {
    this.ended = new Promise((resolve) => {
      this.finish = resolve;
    });
    this.socket = context.connect(url);
    this.handshakeTimer = context.clock.setTimeout(() => this.drop('the handshake took too long'), 2 * LIMITS.authTimeoutMs);
    this.socket.on('open', () => this.greet());
    this.socket.on('message', (data, isBinary) => this.receive(data, isBinary));
    this.socket.on('error', (error) => {
      this.error = error.message;
    });
    this.socket.on('close', (code) => this.over(code));
  }

  get isLive(): boolean {
    return this.state === 'live';
  }

  /** Milliseconds between heartbeats of this connection; undefined before it is live. */
  get heartbeatMs(): number | undefined {
    return this.book?.everyMs;
  }

  /** Sends what waits, as far as the socket takes it. */
  pump(): void {
    this.pumpScheduled ??= setImmediate(() => {
      this.pumpScheduled = undefined;
      this.pumpNow();
    });
  }

  /** Sends a heartbeat when one is due, gives the connection up when they go unanswered. */
  beat(): void {
    if (this.state !== 'live' || !this.book) return;
    const now = this.context.clock.monotonic();
    const next = this.book.next(now);
    if (next === 'drop') this.drop('heartbeats go unanswered');
    if (next !== 'beat') return;
    const { book } = this;
    const frame = { type: 'heartbeat', active_sessions: this.context.activeSessions(), fack: this.context.receiver.takeAck() };
    book.sent(now);
    this.socket.send(JSON.stringify(frame), (error) => {
      if (!error) return;
      book.sendFailed();
      this.context.log('warn', 'heartbeat could not be sent', { error: error.message });
    });
  }

  /** Tells of finished spans, as far as the socket has room: what it has none for waits, and in the end is dropped. */
  tellSpans(): void {
    while (this.state === 'live' && !this.closing && this.socket.bufferedAmount < SOCKET_HIGH_WATER) {
      const frame = this.context.traces?.take();
      if (!frame) return;
      this.send(frame);
    }
  }

  /** Says goodbye; the socket is destroyed if the other side does not answer. */
  close(code = 1000, reason = ''): void {
    if (this.state === 'over') return;
    this.closing = true;
    if (this.socket.readyState === CONNECTING) {
      this.socket.terminate();
      return;
    }
    this.socket.close(code, reason);
    this.context.clock.setTimeout(() => this.socket.terminate(), CLOSE_GRACE_MS).unref();
  }

  private drop(reason: string): void {
    this.context.log('warn', 'connection dropped', { reason });
    this.socket.terminate();
    this.over(DEAD);
  }

  private over(code: number, unrepairable?: string): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.handshakeTimer.cancel();
    this.resuming?.cancel();
    this.timer?.cancel();
    clearImmediate(this.pumpScheduled);
    this.context.sender.disconnected();
    this.context.receiver.disconnected();
    this.finish({ code, worked: this.worked, ...(this.error && { error: this.error }), ...(unrepairable && { unrepairable }) });
  }

  private greet(): void {
    this.state = 'greeting';
    const { identity, receiver, sender } = this.context;
    this.send({
      type: 'auth',
      token: this.context.token,
      protocol: 2,
      vm_id: identity.vmId,
      epoch: identity.epoch,
      client_nonce: identity.clientNonce,
      recv_seq: receiver.durable,
      sent_seq: sender.sent,
      sessions: this.context.reports(),
    });
    void this.readOncePrepared();
  }

  /** While the mesh looks at our credentials, what its answers are read with is loaded. */
  private async readOncePrepared(): Promise<void> {
    if (this.context.isPrepared()) return;
    this.socket.pause();
    try {
      await this.context.prepare();
      this.socket.resume();
    } catch (error) {
      this.socket.terminate();
      this.over(DEAD, `this runtime is incomplete: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private send(frame: Readonly<Record<string, unknown>>): void {
    this.socket.send(JSON.stringify(frame), this.sent);
  }

  /** What could not be sent is lost on this connection; the next one sends it again. */
  private readonly sent = (error?: Error | null): void => {
    if (!error || this.closing || this.state === 'over') return;
    this.error = error.message;
    this.drop('a frame could not be sent');
  };

  private receive(data: Buffer, isBinary: boolean): void {
    if (this.state === 'over') return;
    const decoded = isBinary ? undefined : this.context.decode(data);
    if (!decoded?.ok) {
      this.refuse(decoded?.error ?? { code: 'NOT_A_FRAME', reason: 'binary frame', bytes: data.length });
      return;
    }
    const frame = decoded.value;
    const { fseq } = frame as { fseq?: number };
    const isVerdict = frame.type === 'init' || frame.type === 'fenced';
    if (!isVerdict && this.mustWait(fseq)) this.hold({ frame, ...(fseq !== undefined && { fseq }) });
    else this.handle(frame);
  }

  /** Before `init` everything waits, before the answer to `resume` what has a number. */
  private mustWait(fseq: number | undefined): boolean {
    return this.state !== 'live' || (this.resuming !== undefined && fseq !== undefined);
  }

  private hold(one: HeldFrame): void {
    if (this.held.length >= LIMITS.holdFrames) {
      if (this.state !== 'live') {
        this.drop('too many frames before init');
        return;
      }
      this.resumed('too many frames came before it');
      this.take(one);
    } else this.held.push(one);
  }

  private take({ fseq, frame }: HeldFrame): void {
    if (frame) this.handle(frame);
    else if (fseq !== undefined) this.receiveNumbered(fseq, undefined);
  }

  /** The answer to `resume` is here, or is not waited for any longer: what was held is processed, in its order. */
  private resumed(withoutAnswer?: string): void {
    if (withoutAnswer !== undefined) this.context.log('warn', 'going on without the answer to resume', { reason: withoutAnswer, held: this.held.length });
    this.resuming?.cancel();
    this.resuming = undefined;
    for (const one of this.held.splice(0)) {
      // What is left is not acked, so it comes again on the next connection.
      if (this.state !== 'live') return;
      this.take(one);
    }
  }

  /** A bad frame is logged and skipped. A numbered one is consumed all the same, or it would be sent for ever. */
  private refuse(problem: FrameProblem): void {
    this.context.counters.refusedFrames++;
    this.context.log('warn', 'frame refused', { ...problem });
    if (problem.fseq === undefined) return;
    if (this.mustWait(problem.fseq)) this.hold({ fseq: problem.fseq });
    else this.receiveNumbered(problem.fseq, undefined);
  }

  private handle(frame: MeshFrame): void {
    if ('fack' in frame && typeof frame.fack === 'number') this.context.uplink.acknowledge(frame.fack);
    if ('fseq' in frame && typeof frame.fseq === 'number') {
      this.receiveNumbered(frame.fseq, frame);
      this.schedule();
      return;
    }
    if (frame.type === 'init') this.init(frame);
    else if (frame.type === 'nack') this.rewind(frame.expected);
    else if (frame.type === 'heartbeat_ack') this.heartbeatAnswered();
    else if (frame.type === 'fenced') this.fenced();
    else if (isCommand(frame)) this.refuse({ code: 'BAD_FRAME', reason: 'a reliable frame without fseq', bytes: 0, type: frame.type });
    else this.apply(frame);
    this.schedule();
  }

  private init(frame: MeshFrameOf<'init'>): void {
    if (this.state === 'live') return;
    if ((frame.protocol ?? 1) < 2) {
      this.drop('the mesh does not speak protocol 2');
      return;
    }
    const { sender, receiver, uplink, clock, log } = this.context;
    const durable = frame.server_recv_seq ?? 0;
    const attached = sender.connected(durable);
    if (attached !== 'ok') {
      const unrepairable = `the mesh has uplink frames up to ${durable}, here are ${sender.acked + 1} to ${sender.sent}`;
      this.socket.terminate();
      this.over(DEAD, unrepairable);
      return;
    }
    uplink.released();
    if (frame.server_sent_seq !== undefined && frame.server_sent_seq < receiver.durable) {
      log('warn', 'the mesh has forgotten commands that were received', { received: receiver.durable, sent: frame.server_sent_seq });
    }
    this.handshakeTimer.cancel();
    this.state = 'live';
    this.book = new HeartbeatBook(clock.monotonic(), frame.heartbeat_ms ?? LIMITS.heartbeatMs, this.context.random);
    const reconnected = this.context.noteAccepted();
    log('info', 'connected', { connGen: frame.conn_gen, reconnected, serverReceived: durable, received: receiver.durable });
    this.context.hear(frame);
    const pending = this.context.calls.resume(durable);
    if (reconnected) {
      this.send({ type: 'resume', pending_ids: pending, last_seq: receiver.durable });
      this.resuming = clock.setTimeout(() => this.resumed('it did not come in time'), RESUME_WAIT_MS);
    }
    this.beat();
    this.pumpNow();
    if (!reconnected) this.resumed();
  }

  /** The verdict counts, whatever code the socket then closes with. */
  private fenced(): void {
    this.socket.close(CLOSE_CODES.fenced.code, CLOSE_CODES.fenced.reason);
    this.over(CLOSE_CODES.fenced.code);
  }

  private receiveNumbered(fseq: number, frame: MeshFrame | undefined): void {
    const { receiver, clock } = this.context;
    const result = receiver.receive(fseq, frame, clock.monotonic());
    if (result.kind === 'gap' && result.nack !== undefined) this.send({ type: 'nack', expected: result.nack });
    if (result.kind !== 'deliver') return;
    this.context.commit(result.frames.map((one) => ({ fseq: one.fseq, ...(one.frame && isCommand(one.frame) && { frame: one.frame }) })));
    for (const one of result.frames) {
      receiver.complete(one.fseq, clock.monotonic());
      if (!one.frame) continue;
      if (isCommand(one.frame)) this.context.dispatch(one.frame);
      else this.apply(one.frame);
    }
  }

  private apply(frame: MeshFrame): void {
    if (frame.type === 'token_refresh') this.context.token = frame.token;
    else if (frame.type === 'response') this.context.calls.answered(frame);
    else if (frame.type === 'resume_response') {
      this.context.calls.resumed(frame);
      this.resumed();
    } else if (frame.type === 'drain' || frame.type === 'snapshot_ack') this.context.hear(frame);
    else if (frame.type === 'bind') this.bind(frame);
    else this.context.log('debug', 'frame without effect', { type: frame.type });
  }

  /** This VM waited in a pool and belongs to somebody now: from the next connection on it says so. Both only ever in memory, like the token before. */
  private bind({ data }: MeshFrameOf<'bind'>): void {
    this.context.identity.userId = data.user_id;
    this.context.token = data.token;
    this.context.log('info', 'bound to an owner', { userId: data.user_id });
  }

  private rewind(expected: number): void {
    if (this.context.sender.rewind(expected) === 'ok') {
      this.pumpNow();
      return;
    }
    const { acked } = this.context.sender;
    // The mesh asks for what it has acked; its own mark decides at the next handshake whether that can be repaired.
    this.context.log('error', 'stream_gap', { from: expected, to: acked });
    this.close(CLOSE_CODES.gap.code, CLOSE_CODES.gap.reason);
  }

  private heartbeatAnswered(): void {
    const sentAt = this.book?.answered(this.context.clock.monotonic());
    if (sentAt === undefined) return;
    this.worked = true;
    this.context.fence.answered(sentAt);
  }

  private pumpNow(): void {
    if (this.state !== 'live' || this.blocked) return;
    const { sender, receiver, journal } = this.context;
    journal.flush();
    for (;;) {
      if (this.socket.bufferedAmount > SOCKET_HIGH_WATER) {
        this.blocked = true;
        this.socket.send(JSON.stringify({ type: 'ack', fack: receiver.takeAck() }), (error) => {
          this.blocked = false;
          this.sent(error);
          this.pump();
        });
        return;
      }
      const frame = sender.next();
      if (!frame) return;
      this.socket.send(receiver.ackDueAt === undefined ? frame.text : withFack(frame.text, receiver.takeAck()), this.sent);
    }
  }

  /** Arms one timer for whatever is due next: an ack that found nothing to ride on, or a gap that lasts too long. */
  private schedule(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.state !== 'live') return;
    const { receiver, clock } = this.context;
    const due = Math.min(receiver.ackDueAt ?? Number.POSITIVE_INFINITY, receiver.gapDueAt ?? Number.POSITIVE_INFINITY);
    if (due === Number.POSITIVE_INFINITY) return;
    this.timer = clock.setTimeout(() => this.due(), Math.max(0, due - clock.monotonic()));
  }

  private due(): void {
    const { receiver, clock } = this.context;
    const now = clock.monotonic();
    if ((receiver.gapDueAt ?? Number.POSITIVE_INFINITY) <= now) {
      this.close(CLOSE_CODES.gap.code, CLOSE_CODES.gap.reason);
      return;
    }
    if ((receiver.ackDueAt ?? Number.POSITIVE_INFINITY) <= now) this.send({ type: 'ack', fack: receiver.takeAck() });
    this.schedule();
  }
}
