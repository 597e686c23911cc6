import { FakeClock } from '@plexus/kernel';
import { decodeMeshFrame, decodeVmFrame, FrameReceiver, FrameSender, type MeshFrame, type VmFrame } from '@plexus/vm-protocol';
import { GatewayLink, type LinkExit } from '../../src/adapters/ws/gateway-link.js';
import type { LinkContext, LinkSocket } from '../../src/adapters/ws/link-context.js';
import { Fence } from '../../src/application/fence.js';
import { UplinkCalls } from '../../src/application/mesh-calls.js';
import { Uplink } from '../../src/application/uplink.js';
import { type CommandFrame, JournalState } from '../../src/domain/journal-state.js';

type Json = Record<string, unknown> & { readonly type: string };

/** One socket whose other end is the mesh below. Nothing here takes time except turns of the event loop. */
class FakeSocket implements LinkSocket {
  readyState = 0;
  bufferedAmount = 0;
  private readonly listeners = new Map<string, ((...args: never[]) => void)[]>();
  /** What came while nobody read. */
  private unread: (() => void)[] | undefined;

  constructor(private readonly mesh: FakeMesh) {
    setImmediate(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.emit('open');
    });
  }

  on(event: string, listener: (...args: never[]) => void): this {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    return this;
  }

  pause(): void {
    this.unread ??= [];
  }

  resume(): void {
    for (const read of this.unread?.splice(0) ?? []) setImmediate(read);
    this.unread = undefined;
  }

  send(text: string, sent: (error?: Error | null) => void): void {
    if (this.mesh.throws) throw new Error('the socket library is broken');
    const fails = this.mesh.sendsFail || this.readyState !== 1;
    setImmediate(() => {
      if (fails) sent(new Error('EPIPE'));
      else {
        sent();
        if (this.readyState === 1) this.mesh.receive(this, text);
      }
    });
  }

  close(code: number): void {
    this.readyState = 2;
    setImmediate(() => this.ended(code));
  }

  terminate(): void {
    this.readyState = 2;
    setImmediate(() => this.ended(1006));
  }

  /** The mesh says something. */
  says(frame: object): void {
    const read = (): void => {
      if (this.unread) this.unread.push(read);
      else if (this.readyState === 1) this.emit('message', Buffer.from(JSON.stringify(frame)), false);
    };
    setImmediate(read);
  }

  private ended(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.mesh.lost(this);
    this.emit('close', code);
  }

  private emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...(args as never[]));
  }
}

/** The mesh behind fake sockets: an outbox, what it has stored, and faults on request. */
export class FakeMesh {
  /** Every send of a VM fails. */
  sendsFail = false;
  /** Sending throws instead of failing. */
  throws = false;
  /** Sockets that came as far as `init`. */
  accepted = 0;
  opened = 0;
  beats = 0;
  /** Reliable frames, stored once each, in order. */
  readonly stored: Json[] = [];
  readonly resumes: string[][] = [];
  answersResume = true;
  resumeResult: (id: string) => object = () => ({ status: 'not_found' });
  beforeInit: object[] = [];
  onFrame: (frame: VmFrame) => void = () => undefined;
  private readonly receiver = new FrameReceiver<VmFrame>();
  private readonly outbox = new FrameSender();
  private live: FakeSocket | undefined;

  readonly connect = (): LinkSocket => {
    this.opened++;
    return new FakeSocket(this);
  };

  says(frame: object): void {
    this.live?.says(frame);
  }

  push(frame: Json): void {
    this.outbox.offer(frame);
    this.drain();
  }

  get unackedCommands(): number {
    return this.outbox.unacked;
  }

  cut(): void {
    this.live?.terminate();
  }

  lost(socket: FakeSocket): void {
    if (this.live !== socket) return;
    this.live = undefined;
    this.outbox.disconnected();
    this.receiver.disconnected();
  }

  receive(socket: FakeSocket, text: string): void {
    const decoded = decodeVmFrame(text);
    if (!decoded.ok) throw new Error(`the VM sent what does not fit: ${decoded.error.reason}`);
    const frame = decoded.value;
    if (frame.type === 'auth') {
      this.welcome(socket, frame.recv_seq ?? 0);
      return;
    }
    if (this.live !== socket) return;
    if ('fack' in frame && typeof frame.fack === 'number') this.outbox.acknowledge(frame.fack);
    if (frame.type === 'heartbeat') {
      this.beats++;
      socket.says({ type: 'heartbeat_ack', server_time: 0 });
    } else if (frame.type === 'resume') {
      this.resumes.push(frame.pending_ids);
      if (this.answersResume) this.answerResume();
    } else if ('fseq' in frame && typeof frame.fseq === 'number') this.numbered(socket, frame.fseq, frame);
  }

  answerResume(): void {
    this.says({ type: 'resume_response', results: Object.fromEntries((this.resumes.at(-1) ?? []).map((id) => [id, this.resumeResult(id)])) });
  }

  private numbered(socket: FakeSocket, fseq: number, frame: VmFrame): void {
    const result = this.receiver.receive(fseq, frame, 0);
    if (result.kind === 'gap' && result.nack !== undefined) socket.says({ type: 'nack', expected: result.nack });
    if (result.kind === 'deliver') {
      for (const one of result.frames) {
        this.stored.push(one.frame as unknown as Json);
        this.onFrame(one.frame);
        this.receiver.complete(one.fseq, 0);
      }
    }
    socket.says({ type: 'ack', fack: this.receiver.takeAck() });
  }

  private welcome(socket: FakeSocket, received: number): void {
    this.accepted++;
    this.live = socket;
    for (const frame of this.beforeInit) socket.says(frame);
    const seqs = { server_recv_seq: this.receiver.durable, server_sent_seq: this.outbox.sent };
    socket.says({ type: 'init', protocol: 2, heartbeat_ms: 10_000, ...seqs, data: { user_id: 'me', org_id: 'o' } });
    this.outbox.connected(received);
    this.drain();
  }

  private drain(): void {
    for (let frame = this.outbox.next(); frame && this.live; frame = this.outbox.next()) this.live.says(JSON.parse(frame.text) as object);
  }
}

/** A link with a clock that stands still, its calls and its commands, over a fake mesh. */
export class ClockedLink {
  readonly clock = new FakeClock();
  readonly mesh = new FakeMesh();
  readonly state = new JournalState();
  readonly sender = new FrameSender();
  readonly uplink = new Uplink(this.sender, { append: () => undefined, flush: () => undefined }, this.state);
  readonly log: { level: string; message: string }[] = [];
  readonly commands: string[] = [];
  readonly counters = { refusedFrames: 0, reconnects: 0, loopRestarts: 0 };
  readonly calls: UplinkCalls;
  private readonly stop = new AbortController();
  private running: Promise<LinkExit> | undefined;

  /** `preparing`: settles when what reads frames is loaded; nothing has to be loaded unless given. */
  constructor(private preparing?: Promise<void>) {
    void preparing?.then(
      () => {
        this.preparing = undefined;
      },
      () => undefined, // the link says so
    );
    const log = (level: string, message: string): void => void this.log.push({ level, message });
    this.calls = new UplinkCalls({ uplink: this.uplink, clock: this.clock, log });
    const context: LinkContext = {
      url: 'ws://mesh/ws/vm',
      identity: { userId: 'me', vmId: 'vm-1', epoch: 1, clientNonce: 'nonce-0001' },
      ticket: 'ticket',
      token: 'token',
      receiver: new FrameReceiver<MeshFrame | undefined>(),
      sender: this.sender,
      uplink: this.uplink,
      journal: { append: () => undefined, flush: () => undefined },
      fence: new Fence(this.clock),
      clock: this.clock,
      log,
      connect: this.mesh.connect,
      random: () => 0.5,
      calls: this.calls,
      counters: this.counters,
      prepare: () => this.preparing ?? Promise.resolve(),
      isPrepared: () => this.preparing === undefined,
      decode: decodeMeshFrame,
      activeSessions: () => [],
      reports: () => [],
      isAccepted: () => this.state.initialised,
      noteAccepted: () => {
        const before = this.state.initialised;
        this.state.apply({ k: 'init' });
        return before;
      },
      commit: (frames) => {
        for (const { fseq, frame } of frames) this.state.apply({ k: 'down', fseq, ...(frame && { frame }) });
      },
      dispatch: (frame: CommandFrame) => void this.commands.push(frame.type),
      hear: () => undefined,
    };
    this.running = new GatewayLink(context).run(this.stop.signal);
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Moves the clock in steps small enough for frames to travel in between. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      await this.clock.advance(Math.min(250, left));
      await this.settle();
    }
  }

  async connected(): Promise<this> {
    await this.settle();
    if (this.mesh.accepted === 0) throw new Error('no connection');
    return this;
  }

  async close(): Promise<LinkExit | undefined> {
    this.stop.abort();
    this.calls.close();
    await this.settle();
    await this.clock.advance(5_000);
    const exit = await this.running;
    this.running = undefined;
    return exit;
  }
}
