import type { InputOf, Principal, sessionContracts } from '@plexus/contracts';
import type { CloseCode } from '@plexus/vm-protocol';
import type { Log, Mesh } from '../ports.js';

/** One VM's socket. */
export interface VmWire {
  /** Queues a frame; false when the socket is closing. */
  send(text: string): boolean;
  close(code: CloseCode): void;
  /** Stops and starts reading: a VM that is faster than the mesh is held back by its own socket. */
  pause(): void;
  resume(): void;
  readonly bufferedBytes: number;
  readonly open: boolean;
}

export type SessionEventInput = InputOf<typeof sessionContracts.sessionEvent>;

/** Stores events of VMs in the session stream. */
export interface SessionEvents {
  /** Resolves when the stream has it. The same `msgId` within the duplicate window is stored once. */
  publish(tenant: string, data: SessionEventInput, o: { readonly msgId: string | null; readonly traceparent: string | undefined }): Promise<void>;
  /** The highest number that an event of the run has in the session's stream, 0 when there is none; for runtimes that do not number by themselves. */
  lastNumber(tenant: string, sessionId: string, runId: string, signal: AbortSignal): Promise<number>;
}

/** What the parts of a VM connection share. */
export interface VmServices {
  readonly mesh: Mesh;
  readonly events: SessionEvents;
  readonly log: Log;
  readonly gatewayId: string;
  /** Role `service`, for one tenant or `_`. */
  readonly service: (tenant: string) => Principal;
  /** Monotonic, ms. */
  readonly monotonic: () => number;
  /** Wall clock, ms. */
  readonly now: () => number;
  readonly counters: VmCounters;
}

export interface VmCounters {
  badFrames: number;
  /** Events of sessions that the gateway was never told about. */
  unknownSession: number;
  /** Frames handed to the dead letters because no repetition can help. */
  refused: number;
  /** Frames of connections that were replaced or fenced off. */
  late: number;
}

/** Which incarnation of which VM a connection speaks for. */
export interface VmIdentity {
  readonly tenant: string;
  readonly vmId: string;
  readonly epoch: number;
  readonly owner: string;
  readonly connGen: number;
}
