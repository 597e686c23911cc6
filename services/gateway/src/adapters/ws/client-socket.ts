import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE_CODES, type ConnectParams, encodeEvent, encodeFailure, RequestFrame } from '@plexus/client-protocol';
import { parseJson, ulid } from '@plexus/kernel';
import type { RawData, WebSocket } from 'ws';
import { ClientConnection, type ClientWire, type SharedEvent } from '../../application/client-connection.js';
import type { Admitted, ClientHandshake } from '../../application/client-handshake.js';
import type { RequestDispatcher } from '../../application/request-dispatcher.js';
import { describeIssues, readConnect } from '../../domain/handshake.js';
import { REFUSALS, type Refusal } from '../../domain/refusal.js';
import type { Due } from './due.js';
import { nextNonce } from './nonces.js';
import { OutboundQueue } from './outbound-queue.js';
import { ownerOf, setMaxPayload, setOwner } from './ws-internals.js';

export interface ClientSocketOptions {
  readonly maxPayloadBytes: number;
  readonly maxBufferedBytes: number;
}

/** What happens to a socket, for whoever keeps the books. */
export interface ClientSocketEvents {
  onOpen(connection: ClientConnection): RequestDispatcher;
  /** `byUs`: this side closed it; otherwise the peer went away. */
  onClosed(socket: ClientSocket, connection: ClientConnection | undefined, code: number, byUs: boolean): void;
  onFrames(direction: 'received' | 'sent'): void;
  /** It is too far behind for live events, and has to catch up with its inbox. */
  onLagging(connection: ClientConnection): void;
  /** So many events were not sent to it; their numbers are used up. */
  onMissed(count: number): void;
  /** It was closed because it does not read. */
  onSlow(): void;
}

/** More than this may not wait for a connection that keeps an inbox: from there on it catches up. */
const LIVE_BYTES = 1_048_576;
const LIVE_FRAMES = 512;

/** Frames that may come between connect and hello-ok; they are answered after it. */
const MAX_EARLY_FRAMES = 32;

type Phase = 'challenged' | 'authenticating' | 'open' | 'closed';

/** One client socket from the challenge to its end. Whatever comes in, it answers or closes; it never throws. */
export class ClientSocket implements ClientWire {
  readonly id = ulid();
  /** Set by the liveness wheel when it pings, taken back by the pong. */
  awaitingPong = false;
  /** Kept by the liveness wheel. */
  due: Due | undefined;
  connection: ClientConnection | undefined;
  private phase: Phase = 'challenged';
  private seq = 0;
  /** What came between connect and hello. */
  private early: RawData[] | undefined;
  private readonly outbound: OutboundQueue;
  private dispatcher: RequestDispatcher | undefined;
  private place: Admitted['place'] | undefined;
  /** What its request said; forgotten after the hello. */
  private page: { readonly origin: string | undefined; readonly host: string | undefined } | undefined;

  constructor(
    private readonly ws: WebSocket,
    socket: Duplex,
    { headers: { origin, host } }: IncomingMessage,
    readonly remoteAddress: string,
    private readonly handshake: ClientHandshake,
    private readonly options: ClientSocketOptions,
    private readonly events: ClientSocketEvents,
  ) {
    this.outbound = new OutboundQueue(socket);
    this.page = { origin, host };
    setOwner<ClientSocket>(ws, this);
    ws.on('message', onMessage);
    ws.on('pong', onPong);
    ws.on('close', onClose);
    ws.on('error', onError);
    this.outbound.text(encodeEvent('connect.challenge', { nonce: nextNonce(), ts: Date.now() }));
    this.outbound.flush();
  }

  get open(): boolean {
    return this.phase !== 'closed' && this.ws.readyState === this.ws.OPEN;
  }

  get bufferedBytes(): number {
    return this.outbound.bufferedBytes;
  }

  event(event: SharedEvent): boolean {
    if (!this.open) return false;
    // The number is used up even when the event is dropped: the gap tells the client that it missed something.
    const seq = this.connection?.role === 'node' ? undefined : ++this.seq;
    if (!this.takes(event)) return false;
    if (!this.outbound.event(event, seq)) this.events.onMissed(1);
    this.events.onFrames('sent');
    return true;
  }

  response(frame: string): void {
    if (!this.open) return;
    if (this.outbound.bufferedBytes > this.options.maxBufferedBytes) {
      this.closeSlow();
      return;
    }
    this.outbound.text(frame);
    this.events.onFrames('sent');
  }

  private takes({ head, droppable, paced, waiting }: SharedEvent): boolean {
    const { connection } = this;
    if (connection?.keepsInbox === true && paced !== true) {
      const beyond = this.outbound.isBeyond(LIVE_BYTES, LIVE_FRAMES);
      if (beyond && !connection.lagging) this.lag(connection);
      // What is replaced by its successor cannot pile up, and shows a client that catches up that the connection lives.
      if (!beyond && (!connection.lagging || waiting.latestOf !== undefined)) return true;
      this.events.onMissed(1);
      return false;
    }
    const { bufferedBytes } = this.outbound;
    if (bufferedBytes === 0 || bufferedBytes + head.length <= this.options.maxBufferedBytes) return true;
    if (droppable) this.events.onMissed(1);
    else this.closeSlow();
    return false;
  }

  private lag(connection: ClientConnection): void {
    connection.lagging = true;
    this.events.onMissed(this.outbound.clearLive());
    this.events.onLagging(connection);
  }

  private closeSlow(): void {
    this.events.onSlow();
    this.close(CLOSE_CODES.policy, 'slow consumer');
  }

  ping(): void {
    this.awaitingPong = true;
    this.ws.ping();
  }

  /** Ends a connection whose peer is gone: nobody would answer a close frame. */
  terminate(): void {
    this.ws.terminate();
  }

  close(code: number, reason: string): void {
    if (this.phase === 'closed') return;
    this.outbound.flushAll();
    this.phase = 'closed';
    this.ws.close(code, reason);
  }

  /** A message came. */
  receive(data: RawData): void {
    this.events.onFrames('received');
    switch (this.phase) {
      case 'challenged':
        this.receiveConnect(data);
        return;
      case 'authenticating':
        this.early ??= [];
        if (this.early.length < MAX_EARLY_FRAMES) this.early.push(data);
        else this.close(CLOSE_CODES.policy, 'too many frames before hello');
        return;
      case 'open':
        this.receiveRequest(data);
        return;
      default:
    }
  }

  private receiveRequest(data: RawData): void {
    const bytes = bytesOf(data);
    const parsed = parseJson(bytes, { maxBytes: this.options.maxPayloadBytes });
    // Text that is no JSON is ignored, as real gateways do; JSON that may not be accepted is answered like a frame of the wrong shape.
    if (parsed.ok) this.dispatcher?.accept(parsed.value, bytes.byteLength);
    else if (parsed.error.code !== 'syntax' && parsed.error.code !== 'empty' && parsed.error.code !== 'not_utf8') {
      this.response(encodeFailure('invalid', { code: 'INVALID_REQUEST', message: `invalid request frame: ${parsed.error.message}` }));
    }
  }

  private receiveConnect(data: RawData): void {
    const parsed = parseJson(bytesOf(data));
    if (!parsed.ok) {
      this.close(CLOSE_CODES.handshakeIdle, '');
      return;
    }
    const frame = RequestFrame.safeParse(parsed.value);
    if (!frame.success) {
      this.refuse('invalid', REFUSALS.invalidFrame(describeIssues(frame.error)));
      return;
    }
    const { id, method, params } = frame.data;
    if (method !== 'connect') {
      this.refuse(id, REFUSALS.notConnect);
      return;
    }
    const connect = readConnect(params);
    if (!connect.ok) {
      this.refuse(id, connect.error);
      return;
    }
    this.phase = 'authenticating';
    void this.authenticate(id, connect.value);
  }

  private async authenticate(id: string, connect: ConnectParams): Promise<void> {
    const { origin, host } = this.page ?? {};
    const admitted = await this.handshake.admit(connect, { connId: this.id, origin, host, remoteAddress: this.remoteAddress }).catch((error: unknown) => {
      this.handshake.failed(error);
      return undefined;
    });
    if (this.phase !== 'authenticating') {
      if (admitted?.ok === true) admitted.value.place.release();
      return;
    }
    if (admitted === undefined) this.close(CLOSE_CODES.internal, 'internal error');
    else if (!admitted.ok) this.refuse(id, admitted.error);
    else this.welcome(id, admitted.value);
  }

  private welcome(id: string, { credential, principal, introduction, place }: Admitted): void {
    this.page = undefined;
    setMaxPayload(this.ws, this.options.maxPayloadBytes);
    const connection = new ClientConnection(this.id, credential, principal, introduction, Date.now(), this.remoteAddress, this);
    this.connection = connection;
    this.place = place;
    this.phase = 'open';
    // The hello is queued before anything that the connection's new place among the others could send it.
    this.response(this.handshake.hello(id, connection));
    this.dispatcher = this.events.onOpen(connection);
    const { early = [] } = this;
    this.early = undefined;
    for (const data of early) this.receive(data);
  }

  private refuse(id: string, refusal: Refusal): void {
    this.response(encodeFailure(id, refusal.error));
    this.close(refusal.closeCode, refusal.reason);
  }

  /** The socket is closed. */
  finish(code: number): void {
    const byUs = this.phase === 'closed';
    this.phase = 'closed';
    this.outbound.close();
    this.early = undefined;
    this.dispatcher?.stop();
    this.place?.release();
    this.events.onClosed(this, this.connection, code, byUs);
  }
}

function onMessage(this: WebSocket, data: RawData): void {
  ownerOf<ClientSocket>(this).receive(data);
}

function onPong(this: WebSocket): void {
  ownerOf<ClientSocket>(this).awaitingPong = false;
}

function onClose(this: WebSocket, code: number): void {
  ownerOf<ClientSocket>(this).finish(code);
}

/** ws closes by itself behind an error (1002, 1007, 1009); the close event keeps the books. */
function onError(): void {}

/** Text frames and, as real gateways accept them, binary frames with the same UTF-8 JSON. */
function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
