import type { sessionContracts } from '@plexus/contracts';

/** How this service ends a run by itself. The first end in the stream counts, so that a VM that was faster wins. */
export type RunEnding =
  | { readonly kind: 'cancelled'; readonly reason: string; readonly synthesized: boolean }
  | { readonly kind: 'error'; readonly code: 'VM_UNAVAILABLE' | 'VM_LOST' | 'RUN_TIMEOUT'; readonly text: string };

const MAX_TEXT = 500;

/** The event that says so. Never `execution_error` for a cancel: the user asked for it. */
export function runEndEvent(ending: RunEnding): sessionContracts.RunEvent {
  if (ending.kind === 'cancelled') {
    return { type: 'execution_complete', cancelled: true, reason: ending.reason, ...(ending.synthesized ? { synthesized: true } : {}) };
  }
  const resumable = ending.code === 'VM_LOST' ? { resumable: true } : {};
  return { type: 'execution_error', code: ending.code, error: ending.text.slice(0, MAX_TEXT), ...resumable };
}

/** The mesh writes the end of a cancelled run itself when the runtime has not after so long. */
export const CANCEL_ESCALATION_MS = 25_000;
/** A run that no incarnation could take for so long is over. */
export const UNAVAILABLE_AFTER_MS = 120_000;
/** A run is handed on once; when its second incarnation dies as well, it is lost. */
export const MAX_LOST_INCARNATIONS = 2;
