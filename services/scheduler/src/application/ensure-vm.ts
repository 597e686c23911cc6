import { plexusError } from '@plexus/contracts';
import { type Clock, fullJitter } from '@plexus/kernel';
import type { VmState } from '../domain/vm-state.js';
import type { ChangeSignal } from './change-signal.js';
import type { EnsureStep, Hints, OwnerKey, OwnerStore, VmWish } from './ports.js';

export interface EnsureRequest {
  readonly owner: OwnerKey;
  readonly wish?: VmWish;
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
  readonly staleTemplate?: boolean;
  readonly reason?: string;
}

/** Where the answer came from, for the histogram. */
export type EnsurePath = 'live' | 'warm' | 'cold' | 'resume';

/** Looks this often even if no change was signalled: signals may be lost. */
const POLL_MS = 1_000;
const MAX_CONTENDED = 30;

type SettledStep = Extract<EnsureStep, { readonly kind: 'live' | 'ending' | 'cooling' }>;

export interface EnsureObserver {
  ready(path: EnsurePath, seconds: number): void;
  quotaDenied(): void;
  /** A member of a warm pool was taken: the pool wants another. */
  claimed(): void;
}

/** Returns the one VM of an owner key, starting or resuming it when needed. Concurrent calls, on any number of replicas, join. */
export class EnsureVm {
  constructor(
    private readonly owners: OwnerStore,
    private readonly changes: ChangeSignal,
    private readonly hints: Hints,
    private readonly clock: Clock,
    private readonly newVmId: () => string,
    private readonly observer: EnsureObserver,
  ) {}

  /**
   * Rejects with VM_UNAVAILABLE when a wait for `ready` is in vain, QUOTA_EXCEEDED, or PROVIDER_UNAVAILABLE with `retryAfterMs` while starts fail everywhere; the details say why.
   */
  async execute(request: EnsureRequest): Promise<EnsureAnswer> {
    const startedAt = this.clock.monotonic();
    const until = startedAt + request.waitMs;
    let created = false;
    let resumed = false;
    let warm = false;
    for (;;) {
      const step = await this.step(request);
      if (step.kind === 'live') {
        if (step.created && step.warm === true) {
          warm = true;
          this.observer.claimed();
          this.hints.out(request.owner.tenant, step.vmId);
        }
        created ||= step.created;
        resumed ||= step.resumed;
        if (step.created || step.resumed) this.hints.wake(request.owner.tenant, step.vmId);
        if (step.state === 'ready' || request.wait === 'none') {
          if (step.state === 'ready')
            this.observer.ready(warm ? 'warm' : created ? 'cold' : resumed ? 'resume' : 'live', (this.clock.monotonic() - startedAt) / 1_000);
          const { vmId, epoch, state, staleTemplate, reason } = step;
          return { vmId, epoch, state, created, resumed, ...(staleTemplate === true ? { staleTemplate } : {}), ...(reason === undefined ? {} : { reason }) };
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
  private async step({ owner, wish, signal }: EnsureRequest): Promise<SettledStep> {
    const id = this.newVmId();
    for (let attempt = 0; attempt < MAX_CONTENDED; attempt += 1) {
      const step = await this.owners.ensure(owner, id, wish);
      if (step.kind === 'quota') {
        this.observer.quotaDenied();
        throw plexusError('QUOTA_EXCEEDED', { message: QUOTA_SENTENCES[step.what], details: { limit: step.limit, live: step.live, what: step.what } });
      }
      if (step.kind === 'broken') {
        throw plexusError('PROVIDER_UNAVAILABLE', { details: { provider: step.provider, retryAfterMs: Math.ceil(step.retryAfterMs) } });
      }
      if (step.kind === 'no-template') throw plexusError('INVALID_REQUEST', { message: `There is no template ${JSON.stringify(step.name)}.` });
      if (step.kind !== 'contended') return step;
      await this.clock.sleep(fullJitter(attempt, { baseMs: 2, capMs: 100 }), signal);
    }
    throw plexusError('VM_UNAVAILABLE', { details: { reason: 'too many callers wanted the same VM at once' } });
  }
}

export const QUOTA_SENTENCES = {
  tenant: 'The tenant has as many VMs as it may have; end one first.',
  user: 'This user has as many VMs as one may have; end one first.',
  starting: 'As many VMs of the tenant as may start at once are starting; try again in a moment.',
} as const;

function stateOf(step: SettledStep): string {
  return 'state' in step ? step.state : step.kind;
}

function unavailable(step: SettledStep, reason: string): Error {
  return plexusError('VM_UNAVAILABLE', { details: { vmId: step.vmId, state: stateOf(step), reason } });
}
