import type { Clock, Result } from '@plexus/kernel';
import type { FrameProblem, FrameReceiver, FrameSender, MeshFrame, MeshFrameOf, SessionReport } from '@plexus/vm-protocol/link';
import type { Fence } from '../../application/fence.js';
import type { RequestLink } from '../../application/mesh-calls.js';
import type { RunTraces } from '../../application/run-traces.js';
import type { Journal, Log } from '../../application/ports.js';
import type { Uplink } from '../../application/uplink.js';
import type { CommandFrame } from '../../domain/journal-state.js';

export interface VmIdentity {
  /** A VM that waited in a pool gets another with `bind`. */
  userId: string;
  readonly vmId: string;
  readonly epoch: number;
  /** Same for all connections of this process. */
  readonly clientNonce: string;
}

/** As much of a WebSocket as a connection uses; `ws` has it. */
export interface LinkSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  on(event: 'open', listener: () => void): unknown;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close', listener: (code: number) => void): unknown;
  /** Nothing is read until `resume`; both only while it is open. */
  pause(): void;
  resume(): void;
  send(text: string, sent: (error?: Error | null) => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** What outlives a single connection. */
export interface LinkContext {
  readonly url: string;
  readonly identity: VmIdentity;
  /** One-time, for the first connection. */
  readonly ticket: string;
  /** Replaced by `token_refresh`; only ever in memory. */
  token: string;
  readonly receiver: FrameReceiver<MeshFrame | undefined>;
  readonly sender: FrameSender;
  readonly uplink: Uplink;
  readonly journal: Journal;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
  /** Opens a socket; rejects nothing, what goes wrong comes as `error` and `close`. */
  readonly connect: (url: string) => LinkSocket;
  /** 0..1, spreads heartbeats and reconnects; `Math.random` unless given. */
  readonly random?: () => number;
  readonly calls: RequestLink;
  /** Spans that are told while the socket has room. */
  readonly traces?: Pick<RunTraces, 'take'>;
  readonly counters: { refusedFrames: number; reconnects: number; loopRestarts: number };
  /** Loads what frames are read and carried out with. Nothing is read from a socket before it is there. */
  prepare(): Promise<void>;
  isPrepared(): boolean;
  decode(data: Buffer): Result<MeshFrame, FrameProblem>;
  activeSessions(): string[];
  reports(): SessionReport[];
  /** Notes that the mesh has accepted this incarnation; true when it had before. */
  noteAccepted(): boolean;
  isAccepted(): boolean;
  /** Writes commands to the journal; when it returns they may be acked. */
  commit(frames: readonly { readonly fseq: number; readonly frame?: CommandFrame }[]): void;
  dispatch(frame: CommandFrame): void;
  /** What the mesh says beside commands, in the order it came. */
  hear(frame: MeshFrameOf<'init'> | MeshFrameOf<'drain'> | MeshFrameOf<'snapshot_ack'>): void;
}
