import type { DesiredState, StopTarget, VmState } from './vm-state.js';

/** Why something is as it is: a stable code and a sentence for people. */
export interface Reason {
  readonly code: string;
  readonly text: string;
}

/** The logical machine as `decide` sees it. All times are milliseconds of the database clock. */
export interface VmView {
  readonly id: string;
  readonly state: VmState;
  readonly stateSince: number;
  readonly desired: DesiredState;
  /** Counts the wishes of callers; `observedGeneration` is the last one that was fulfilled (the VM became ready) or given up. */
  readonly generation: number;
  readonly observedGeneration: number;
  readonly epoch: number;
  /** Starts since the VM was last ready. */
  readonly attempt: number;
  /** Exits shortly after becoming ready, in a row. */
  readonly crashes: number;
  /** When the present state is over by itself; the end of the wait in `backoff`. */
  readonly deadlineAt: number | undefined;
  readonly stopTarget: StopTarget | undefined;
  readonly reason: Reason | undefined;
  readonly lastActivityAt: number;
  /** Runs that were given to this VM and have no end yet. */
  readonly openRuns: number;
  /** Those of them that the current incarnation works on. */
  readonly activeRuns: number;
  /** Set: a member of this pool, without an owner. */
  readonly poolId: string | undefined;
  /** Somebody wants it out of use: `host`, `operator`, `template`, `max-life`. */
  readonly drainReason: string | undefined;
  /** Sessions whose snapshot was asked for and has not come. */
  readonly snapshotsPending: number;
}

export type InstancePhase = 'creating' | 'running' | 'stopping' | 'gone';

/** One attempt to run a VM: the row that is not `gone`. */
export interface InstanceView {
  readonly epoch: number;
  readonly phase: InstancePhase;
  readonly startedAt: number;
  /** When the first socket of this incarnation was attached. */
  readonly attachedAt: number | undefined;
  /** Until when the incarnation counts as alive without a further beat. */
  readonly leaseUntil: number | undefined;
}

/** What the provider says about one incarnation. `absent` and `exited` both mean: nothing of it runs any more. */
export interface Observation {
  readonly phase: 'absent' | 'starting' | 'running' | 'exited' | 'unknown';
  readonly exitCode?: number;
  readonly signal?: string;
  /** Last words of the log, or why it could not be started. */
  readonly text?: string;
  /** Stable code of the provider for `text`. */
  readonly reasonCode?: string;
  /**
   * Set: no observation at all but a start that was refused, and what that says about the next: never, not on this host, not now, or nothing. The same
   * incarnation may have been started by another replica.
   */
  readonly failure?: 'permanent' | 'capacity' | 'quota' | 'unavailable' | 'start';
  /** With `unavailable`: when the provider wants to be asked again. */
  readonly retryAfterMs?: number;
}

/** Where an incarnation may be started. */
export type Placement =
  | { readonly kind: 'here' }
  /** Another replica is the one that can start it. `isChosen`: that is written down already. */
  | { readonly kind: 'elsewhere'; readonly hostId: string; readonly isChosen: boolean }
  | { readonly kind: 'nowhere'; readonly code: string; readonly text: string };

/** What the database should change. An absent field stays as it is; `null` clears. */
export interface VmPatch {
  readonly state?: VmState;
  readonly desired?: DesiredState;
  readonly observedGeneration?: number;
  readonly attempt?: number;
  readonly crashes?: number;
  readonly deadlineAt?: number | null;
  readonly stopTarget?: StopTarget | null;
  readonly reason?: Reason | null;
  readonly drainReason?: string | null;
  readonly pauseDegraded?: boolean;
  readonly hostId?: string;
  /** The host has just shown that it cannot start this VM: others come first. */
  readonly excludeHost?: boolean;
}

/** The same for the incarnation. `create` makes a new row with the next epoch, which becomes the VM's current one. */
export type InstancePatch =
  | { readonly kind: 'create' }
  | { readonly kind: 'phase'; readonly phase: InstancePhase; readonly exit?: { readonly code?: number; readonly signal?: string; readonly text?: string } };

export type Effect =
  | { readonly kind: 'none' }
  | { readonly kind: 'create' }
  | { readonly kind: 'observe' }
  /** Tells the runtime to take no new runs, and with `snapshot` to send one of each session. Queued with the commit, so it is never lost. */
  | { readonly kind: 'sendDrain'; readonly graceMs: number; readonly snapshot: boolean }
  | { readonly kind: 'destroy'; readonly force: boolean };

export interface Decision {
  readonly patch: VmPatch;
  readonly instance?: InstancePatch;
  readonly effect: Effect;
  /** When to look again; null: only when somebody changes the row. */
  readonly nextActionAt: number | null;
  /** Short cause of a transition for the audit; present whenever `patch.state` is. */
  readonly cause?: string;
}

/** One edge that was taken, and why. */
export interface Move {
  readonly from: VmState;
  readonly to: VmState;
  readonly cause: string;
}
