import type { RunEnding } from '../domain/run-ending.js';
import type { Move } from '../domain/vm.js';
import type { OwnerKey, RunAddress } from './ports.js';

/** An event as it is kept in the outbox until the relay publishes it. */
export interface StoredEvent {
  readonly subject: string;
  readonly msgId: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Makes the events of this service; pure encoding, so that it may run inside a transaction. */
export interface Events {
  /** `version` is unique per move of a VM and makes the publication idempotent. */
  stateChanged(vm: { readonly id: string; readonly owner: OwnerKey; readonly epoch: number }, move: Move, version: number): StoredEvent;
  /** At most one per run, however often it is made. */
  runEnded(run: RunAddress, ending: RunEnding): StoredEvent;
  memoryWrite(write: {
    readonly tenant: string;
    readonly user: string;
    readonly content: string;
    readonly kind: 'fact' | 'preference' | 'episode' | 'summary' | 'note';
    readonly importance: number | undefined;
    readonly metadata: Record<string, unknown> | undefined;
    /** Stable for the frame it came from. */
    readonly id: string;
  }): StoredEvent;
}
