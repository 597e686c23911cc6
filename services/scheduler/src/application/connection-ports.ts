import type { Move } from '../domain/vm.js';
import type { IncarnationKey, OwnerKey } from './ports.js';

/** An incarnation on the wire, as gateways name it. `tenant` undefined: the caller may act for every tenant. */
export interface WireKey extends IncarnationKey {
  readonly tenant: string | undefined;
}

export interface Attachment {
  readonly connGen: number;
  readonly serverRecvSeq: number;
  readonly serverSentSeq: number;
  /** Outbox frames up to here were acknowledged, by whichever connection. */
  readonly ackedSeq: number;
  readonly owner: OwnerKey;
  /** Sessions that this incarnation was told about. */
  readonly sessions: readonly { readonly sessionId: string; readonly sessionKey: string; readonly owner: string; readonly agentId: string }[];
  /** `traceparent` of the runs that it has: what it may report spans for. */
  readonly traces: readonly string[];
  /** The edges that led to `ready`; none when it was there already. */
  readonly moves: readonly Move[];
}

export type AttachResult =
  | { readonly kind: 'attached'; readonly attachment: Attachment }
  | { readonly kind: 'fenced'; readonly currentEpoch: number }
  /** It was never connected, and its ticket was not redeemed. */
  | { readonly kind: 'no-ticket' }
  | { readonly kind: 'unknown' };

export interface Beat extends IncarnationKey {
  readonly connGen: number;
}

export interface BeatAnswer {
  readonly vmId: string;
  readonly status: 'ok' | 'fenced' | 'replaced' | 'unknown';
  readonly currentEpoch: number;
  readonly outboxHead: number;
  readonly desired: string;
}

export interface FrameBatch {
  readonly frames: readonly { readonly fseq: number; readonly frame: { readonly type: string } & Record<string, unknown> }[];
  readonly head: number;
}

/** What is waiting for an incarnation, and whose it is. */
export interface OutboxPage extends FrameBatch {
  readonly tenant: string;
  readonly provider: string;
}

/** Sockets of VMs and what goes down them. */
export interface ConnectionStore {
  attach(key: WireKey, connection: { readonly gateway: string; readonly recvSeq: number }): Promise<AttachResult>;
  /** An older connection generation changes nothing. */
  detach(key: WireKey, connGen: number): Promise<void>;
  /** Moves the leases of all in one write. */
  beat(tenant: string | undefined, beats: readonly Beat[]): Promise<readonly BeatAnswer[]>;
  /** Undefined: this epoch is not current. A replaced connection gets no frames. */
  readOutbox(key: WireKey, connGen: number, after: number, limit: number): Promise<OutboxPage | undefined>;
  ackOutbox(key: WireKey, upTo: number): Promise<void>;
}

export type FrameResult =
  | {
      readonly kind: 'applied';
      readonly recvSeq: number;
      readonly duplicate: boolean;
      readonly tenant: string;
      readonly queued: boolean;
      /** Of a frame that brought or confirmed a snapshot: the newest version that is kept of its session. */
      readonly snapshot?: number | undefined;
    }
  | { readonly kind: 'fenced' };

/** What comes up from VMs and is kept here. */
export interface InboxStore {
  /** Epoch test, mark and effect in one transaction. */
  applyFrame(key: WireKey, fseq: number, frame: { readonly type: string }): Promise<FrameResult>;
  /** Moves the mark, never back. Undefined: fenced. */
  mark(key: WireKey, upTo: number): Promise<number | undefined>;
}

/** Who may connect. */
export interface AdmissionStore {
  /**
   * Stores the hash of a new ticket in place of every unused one of this incarnation. False: this replica's claim on the VM is over, or the
   * incarnation is no longer being created.
   */
  issueTicket(key: IncarnationKey, hash: Uint8Array, ttlMs: number): Promise<boolean>;
  /** One conditional update; the same nonce again within 30 s is admitted. */
  redeem(
    hash: Uint8Array,
    tenant: string | undefined,
    userId: string,
    clientNonce: string | undefined,
  ): Promise<(IncarnationKey & { readonly tenant: string }) | undefined>;
  /** The owner of an incarnation that is current and alive; otherwise what is. */
  current(
    key: IncarnationKey,
  ): Promise<{ readonly live: boolean; readonly currentEpoch: number; readonly owner: OwnerKey; readonly wasWarm: boolean } | undefined>;
  owner(vmId: string): Promise<OwnerKey | undefined>;
  /** The owner of the incarnation whose socket has this connection generation; undefined: it is not, or no longer, that. */
  holder(key: WireKey, connGen: number): Promise<OwnerKey | undefined>;
}
