import type { RunStatus } from './routing.contracts.js';
import type { RunEvent } from './session.contracts.js';

/**
 * How every reader understands the stream of a session, in one place: what it must drop, where a run ends, what text it has produced.
 * Pure: the state goes in and out as plain JSON, so that a reader may keep it in memory or in its database.
 *
 * Rules, in this order:
 * 1. An `epoch_marker` sets the floor of the session; what carries a lower epoch behind it is dropped, and what another VM says. Epochs are compared
 *    within one VM only: those of two VMs say nothing about each other. So the marker of another VM sets the floor up or down, one of the same VM only
 *    raises it. Events of services carry neither VM nor epoch and pass.
 * 2. The first `execution_complete` or `execution_error` in stream order is the end of its run; every later event of that run is dropped.
 * 3. A `runSeq` that was already had is dropped; one that skips numbers passes and says so.
 */

/** What the reader looks at: the data of `evt session.event`, or as much of it as is known. */
export interface SessionStreamEvent {
  readonly runId?: string | undefined;
  readonly runSeq?: number | undefined;
  readonly vmId?: string | undefined;
  readonly epoch?: number | undefined;
  readonly event: RunEvent;
}

/** Where one run stands for a reader. */
export interface RunProgress {
  readonly runId: string;
  /** Highest runSeq that was let through; 0 before the first. */
  readonly lastSeq: number;
  readonly ended: boolean;
  /** Text streamed since the last `text_reset`; empty again once the run has ended. */
  readonly text: string;
}

/** What a reader remembers of one session. */
export interface SessionStreamState {
  /** The floor: what carries a lower epoch is dropped. */
  readonly epoch: number;
  /** The VM that the floor is of; absent until a marker has named one. */
  readonly vmId?: string | undefined;
  /** The runs seen last, oldest first; at most {@link REMEMBERED_RUNS}. */
  readonly runs: readonly RunProgress[];
}

/** How a run ended: `text` is the end's own content, else what was streamed. */
export interface RunEnd {
  readonly status: Exclude<RunStatus, 'queued' | 'started'>;
  readonly text: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export type DropReason = 'stale-epoch' | 'after-end' | 'duplicate';

/** What the reader does with one event; `gap` names the run sequence numbers that never came. */
export type StreamVerdict =
  | { readonly kind: 'event'; readonly text: string; readonly gap?: { readonly from: number; readonly to: number } }
  | { readonly kind: 'end'; readonly end: RunEnd; readonly gap?: { readonly from: number; readonly to: number } }
  | { readonly kind: 'marker'; readonly epoch: number }
  | { readonly kind: 'dropped'; readonly reason: DropReason };

/** A session has one open run at a time; older ones are kept so that a late end still finds its run closed. */
export const REMEMBERED_RUNS = 64;

/**
 * The state of a reader that has seen nothing. One that starts in the middle of a stream passes the epoch from `PLEXUS_VM_EPOCH`,
 * because the marker may lie behind it.
 */
export function emptySessionStream(epoch = 0): SessionStreamState {
  return { epoch, runs: [] };
}

/** Reads the next event of a session in stream order. */
export function readSessionEvent(state: SessionStreamState, item: SessionStreamEvent): { readonly state: SessionStreamState; readonly verdict: StreamVerdict } {
  const drop = (reason: DropReason) => ({ state, verdict: { kind: 'dropped', reason } as const });

  const isMarker = item.event.type === 'epoch_marker';
  const moves = isMarker && item.vmId !== undefined && item.vmId !== state.vmId;
  if (!moves && isStale(state, item)) return drop('stale-epoch');
  // An event raises the floor of its own VM alone: a late one of another VM would otherwise lock out everybody with a lower epoch.
  const epoch = moves ? (item.epoch ?? 0) : isMarker || item.vmId === state.vmId ? Math.max(state.epoch, item.epoch ?? 0) : state.epoch;
  if (isMarker) return { state: { ...state, epoch, ...(moves ? { vmId: item.vmId } : {}) }, verdict: { kind: 'marker', epoch } };
  if (item.runId === undefined) return { state: { ...state, epoch }, verdict: { kind: 'event', text: '' } };

  const known = state.runs.find((run) => run.runId === item.runId);
  const run = known ?? { runId: item.runId, lastSeq: 0, ended: false, text: '' };
  if (run.ended) return drop('after-end');
  if (item.runSeq !== undefined && item.runSeq <= run.lastSeq) return drop('duplicate');

  // A reader that starts in the middle of a run has missed nothing that it was promised: only a known run can have a gap.
  const skipped = known !== undefined && run.lastSeq > 0 && item.runSeq !== undefined && item.runSeq > run.lastSeq + 1;
  const gap = skipped ? { gap: { from: run.lastSeq + 1, to: (item.runSeq as number) - 1 } } : {};
  const text = streamedText(run.text, item.event);
  const end = runEnd(item.event, text);
  const next: RunProgress = { runId: run.runId, lastSeq: item.runSeq ?? run.lastSeq, ended: end !== undefined, text: end === undefined ? text : '' };
  return {
    state: { ...state, epoch, runs: [...state.runs.filter((other) => other !== known), next].slice(-REMEMBERED_RUNS) },
    verdict: end === undefined ? { kind: 'event', text, ...gap } : { kind: 'end', end, ...gap },
  };
}

/** Whether it comes from an incarnation that the session has left. */
function isStale(state: SessionStreamState, item: SessionStreamEvent): boolean {
  if (state.vmId !== undefined && item.vmId !== undefined && item.vmId !== state.vmId) return true;
  return item.epoch !== undefined && item.epoch < state.epoch;
}

/** The text of a run after one more of its events: chunks are joined, a `text_reset` voids what came before. */
export function streamedText(before: string, event: RunEvent): string {
  if (event.type === 'text_reset') return '';
  return event.type === 'text_chunk' && typeof event.content === 'string' ? before + event.content : before;
}

/** How this event ends its run, or undefined when it does not. `streamed` stands in for an end without content. */
export function runEnd(event: RunEvent, streamed = ''): RunEnd | undefined {
  if (event.type === 'execution_complete') {
    return { status: event.cancelled === true ? 'cancelled' : 'ok', text: typeof event.content === 'string' ? event.content : streamed };
  }
  if (event.type !== 'execution_error') return undefined;
  const code = typeof event.code === 'string' && event.code !== '' ? event.code : 'INTERNAL';
  const message = typeof event.error === 'string' ? event.error : typeof event.message === 'string' ? event.message : code;
  return { status: code === 'RUN_TIMEOUT' ? 'timeout' : 'error', text: streamed, error: { code, message } };
}
