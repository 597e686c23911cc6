export { FileState } from './file-state.js';
export { INLINE_CHARS, InContextState, MAX_IN_CONTEXT_CHARS, type NarratedValue } from './in-context-state.js';
export {
  compareNames,
  decodeSnapshot,
  encodeSnapshot,
  entryOf,
  hashOfValue,
  MAX_STATE_VALUE_BYTES,
  requireStateName,
  requireStateSize,
  requireStateText,
  restoredVersion,
  type StateChange,
  type StateEntry,
  type StateStore,
  type StateValue,
  type StateWriteOptions,
  valueTooLarge,
  versionConflict,
} from './state-store.js';
