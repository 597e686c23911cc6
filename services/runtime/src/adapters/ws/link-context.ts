import type { Clock } from '@plexus/kernel';
import type { FrameReceiver, FrameSender, MeshFrame, SessionReport } from '@plexus/vm-protocol';
import type { Fence } from '../../application/fence.js';
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
  readonly counters: { refusedFrames: number; reconnects: number; loopRestarts: number };
  activeSessions(): string[];
  reports(): SessionReport[];
  /** Notes that the mesh has accepted this incarnation; true when it had before. */
  noteAccepted(): boolean;
  isAccepted(): boolean;
  /** Writes commands to the journal; when it returns they may be acked. */
  commit(frames: readonly { readonly fseq: number; readonly frame?: CommandFrame }[]): void;
  dispatch(frame: CommandFrame): void;
}
