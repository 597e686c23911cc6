import type { InputOf, Principal, sessionContracts } from '@plexus/contracts';
import type { CloseCode, VmSpan } from '@plexus/vm-protocol';
import type { Log, Mesh } from '../ports.js';
import type { KeptRequests } from './kept-requests.js';

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

/** The configuration as agents may see it. */
export interface AgentViews {
  /** `own`: an agent that runs on the VM that asks; `card`: what anybody in the tenant may know. Undefined: there is no such agent. */
  view(tenant: string, agentId: string, which: 'own' | 'card'): Readonly<Record<string, unknown>> | undefined;
}

/** Where spans of VMs go. */
export interface VmTracing {
  /** Spans that one VM may report, per second on average; 0 where nobody records any. */
  readonly perSecond: number;
  /** Records a span of this incarnation whose trace was checked. */
  record(identity: VmIdentity, span: VmSpan): void;
  dropped(count: number, reason: 'vm-unknown-trace' | 'vm-rate' | 'vm-lost'): void;
  /** Runs `work` as part of that trace. */
  within<T>(traceparent: string, work: () => Promise<T>): Promise<T>;
}

/** What the parts of a VM connection share. */
export interface VmServices {
  readonly mesh: Mesh;
  readonly events: SessionEvents;
  readonly agents: AgentViews;
  /** Requests that must not run twice, across gateways. */
  readonly requests: KeptRequests;
  readonly tracing: VmTracing;
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
  /** Calls of methods that nobody here knows; they are handed to the scheduler all the same. */
  unknownMethod: number;
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
