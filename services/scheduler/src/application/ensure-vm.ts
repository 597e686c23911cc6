import { plexusError } from '@plexus/contracts';
import { type Clock, fullJitter } from '@plexus/kernel';
import type { VmState } from '../domain/vm-state.js';
import type { ChangeSignal } from './change-signal.js';
import type { EnsureStep, Hints, OwnerKey, OwnerStore } from './ports.js';

export interface EnsureRequest {
  readonly owner: OwnerKey;
  readonly wait: 'none' | 'ready';
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

export interface EnsureAnswer {
  readonly vmId: string;
  readonly epoch: number;
  readonly state: VmState;
  readonly created: boolean;
  readonly resumed: boolean;
  readonly reason?: string;
}

/** Where the answer came from, for the histogram. */
export type EnsurePath = 'live' | 'cold' | 'resume';

/** Looks this often even if no change was signalled: signals may be lost. */
const POLL_MS = 1_000;
const MAX_CONTENDED = 30;

/** Returns the one VM of an owner key, starting or resuming it when needed. Concurrent calls, on any number of replicas, join. */
export class EnsureVm {
  constructor(
    private readonly owners: OwnerStore,
    private readonly changes: ChangeSignal,
    private readonly hints: Hints,
    private readonly clock: Clock,
    private readonly newVmId: () => string,
    private readonly observe: (path: EnsurePath, seconds: number) => void,
  ) {}

  /** Rejects with VM_UNAVAILABLE when a wait for `ready` is in vain; the details say why. */
  async execute(request: EnsureRequest): Promise<EnsureAnswer> {
    const startedAt = this.clock.monotonic();
    const until = startedAt + request.waitMs;
    let created = false;
    let resumed = false;
    for (;;) {
      const step = await this.step(request.owner, request.signal);
      if (step.kind === 'live') {
        created ||= step.created;
        resumed ||= step.resumed;
        if (step.created || step.resumed) this.hints.wake(request.owner.tenant, step.vmId);
        if (step.state === 'ready' || request.wait === 'none') {
          if (step.state === 'ready') this.observe(created ? 'cold' : resumed ? 'resume' : 'live', (this.clock.monotonic() - startedAt) / 1_000);
          return { ...step, created, resumed };
        }
      } else if (step.kind === 'cooling') {
        if (request.wait === 'none') return { vmId: step.vmId, epoch: step.epoch, state: 'failed', created: false, resumed: false, reason: step.reason };
        throw unavailable(step, step.reason);
      } else if (request.wait === 'none') {
        return { vmId: step.vmId, epoch: step.epoch, state: step.state, created: false, resumed: false, reason: 'it is being ended; ask again for a new one' };
      }
      const remaining = until - this.clock.monotonic();
      if (remaining <= 0 || request.signal.aborted) throw unavailable(step, ('reason' in step ? step.reason : undefined) ?? `it is still ${stateOf(step)}`);
      await this.changes.wait(step.vmId, Math.min(POLL_MS, remaining), request.signal);
    }
  }

  /** One settled look: contention is retried with jitter, so that many callers do not move in step. */
  private async step(owner: OwnerKey, signal: AbortSignal): Promise<Exclude<EnsureStep, { kind: 'contended' }>> {
    const id = this.newVmId();
    for (let attempt = 0; attempt < MAX_CONTENDED; attempt += 1) {
      const step = await this.owners.ensure(owner, id);
      if (step.kind !== 'contended') return step;
      await this.clock.sleep(fullJitter(attempt, { baseMs: 2, capMs: 100 }), signal);
    }
    throw plexusError('VM_UNAVAILABLE', { details: { reason: 'too many callers wanted the same VM at once' } });
  }
}

function stateOf(step: EnsureStep): string {
  return 'state' in step ? step.state : step.kind;
}

function unavailable(step: Exclude<EnsureStep, { kind: 'contended' }>, reason: string): Error {
  return plexusError('VM_UNAVAILABLE', { details: { vmId: step.vmId, state: stateOf(step), reason } });
}
