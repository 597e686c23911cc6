import type { Clock } from '@plexus/kernel';
import { decide, park } from '../domain/decide.js';
import type { VmPolicy } from '../domain/policy.js';
import type { Effect, Observation } from '../domain/vm.js';
import { takesWork } from '../domain/vm-state.js';
import type { Admission } from './admission.js';
import type { HandOver } from './hand-over.js';
import type { EpochCache, Hints, IncarnationKey, Provider, ProviderRef, VmSnapshot, VmStore } from './ports.js';

/** While the host is being stopped nobody waits for politeness. */
export const PARK_GRACE_MS = 1_000;

export interface ReconcilerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ReconcilerParts {
  readonly store: VmStore;
  readonly provider: Provider;
  readonly admission: Pick<Admission, 'issue'>;
  readonly handOver: Pick<HandOver, 'execute'>;
  readonly epochs: EpochCache;
  readonly hints: Hints;
  readonly policy: VmPolicy;
  readonly replica: string;
  readonly clock: Clock;
  readonly log: ReconcilerLog;
  readonly random: () => number;
  readonly onTransition: (from: string, to: string) => void;
}

/** Steps of one VM under one claim; more are taken under the next. */
const MAX_ROUNDS = 16;
const RETRY_AFTER_MS = 1_000;

/** Takes the steps that `decide` says, one VM at a time, under a claim. */
export class Reconciler {
  private closing = false;

  constructor(private readonly parts: ReconcilerParts) {}

  /** Stops an incarnation of this host in order, without starting another: its row says what happens at the next start. */
  async park(vmId: string): Promise<void> {
    this.closing = true;
    const { store, policy, random } = this.parts;
    // The claim may still be that of a predecessor that was killed a moment ago; nobody else acts on this host.
    if (!(await store.seize(vmId))) return;
    const snapshot = await store.load(vmId);
    if (snapshot?.instance !== undefined && snapshot.vm.state !== 'stopping') {
      const reason = { code: 'HOST_STOPPED', text: 'Its host was stopped; it starts again on demand.' };
      const decision = park({ ...snapshot, observed: undefined, policy, random: random() }, reason);
      if (await store.commit(snapshot, decision, { release: false })) this.announce(snapshot, 'stopping');
    }
    await this.reconcile(vmId);
  }

  /** Works on a claimed VM until nothing remains to be done now. Never rejects: what fails is logged and tried again. */
  async reconcile(vmId: string): Promise<void> {
    try {
      await this.steps(vmId);
    } catch (error) {
      this.parts.log.warn({ vmId, err: error }, 'reconciling a VM failed; trying again');
      await this.parts.store.retryLater(vmId, RETRY_AFTER_MS).catch((failure: unknown) => {
        // The claim runs out by itself.
        this.parts.log.warn({ vmId, err: failure }, 'the claim on a VM could not be given back');
      });
    }
  }

  private async steps(vmId: string): Promise<void> {
    const { store, policy, replica, random } = this.parts;
    let observed: (Observation & { readonly ref?: ProviderRef }) | undefined;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const snapshot = await store.load(vmId);
      if (snapshot === undefined || snapshot.claimOwner !== replica) return;
      const decision = decide({ ...snapshot, observed, policy, random: random() });
      if (this.closing && decision.effect.kind === 'create') return store.release(vmId);
      const idle = decision.effect.kind === 'none' && (decision.nextActionAt === null || decision.nextActionAt > snapshot.now);
      // The last thing under the claim is the hand-over: it may fail, and then the VM must be looked at again soon.
      const state = decision.patch.state ?? snapshot.vm.state;
      const handsOver = idle && snapshot.pendingHandOvers > 0 && takesWork(state);
      if (!(await store.commit(snapshot, decision, { ref: observed?.ref, release: idle && !handsOver }))) {
        observed = undefined; // somebody else has moved it: look again
        continue;
      }
      if (decision.patch.state !== undefined) this.announce(snapshot, decision.patch.state);
      if (handsOver) await this.handOver(snapshot);
      if (idle) return;
      observed = await this.perform(snapshot, decision.effect);
    }
    await store.retryLater(vmId, 0);
  }

  private announce(snapshot: VmSnapshot, to: string): void {
    const { vm, owner } = snapshot;
    this.parts.onTransition(vm.state, to);
    this.parts.log.info({ vmId: vm.id, from: vm.state, to, epoch: vm.epoch }, 'VM moved');
    this.parts.hints.wake(owner.tenant, vm.id);
  }

  private async handOver(snapshot: VmSnapshot): Promise<void> {
    await this.parts.handOver.execute(snapshot.owner.tenant, snapshot.vm.id, snapshot.vm.epoch);
    // A run that came meanwhile has made the row due again; everything else waits for its time.
    await this.parts.store.release(snapshot.vm.id);
  }

  /** Does what was decided and says what is there afterwards. */
  private async perform(snapshot: VmSnapshot, effect: Effect): Promise<(Observation & { readonly ref?: ProviderRef }) | undefined> {
    const { provider } = this.parts;
    const key = await this.incarnation(snapshot, effect);
    if (key === undefined) return undefined;
    switch (effect.kind) {
      case 'none':
        return undefined;
      case 'create':
        return this.create(key, snapshot.owner.subject);
      case 'observe':
        return provider.observe(key);
      case 'destroy':
        return provider.destroy(key, { force: effect.force, ...(this.closing ? { graceMs: PARK_GRACE_MS } : {}) });
    }
  }

  /** A create follows the commit that drew its epoch, so the row is read once more. */
  private async incarnation(snapshot: VmSnapshot, effect: Effect): Promise<IncarnationKey | undefined> {
    if (effect.kind === 'none') return undefined;
    const epoch = effect.kind === 'create' ? (await this.parts.store.load(snapshot.vm.id))?.instance?.epoch : snapshot.instance?.epoch;
    return epoch === undefined ? undefined : { vmId: snapshot.vm.id, epoch };
  }

  private async create(key: IncarnationKey, userId: string): Promise<(Observation & { readonly ref?: ProviderRef }) | undefined> {
    const { provider, admission, epochs, log } = this.parts;
    // Gateways turn predecessors away early; whoever reads the database turns them away in any case.
    await epochs.raise(key.vmId, key.epoch).catch((error: unknown) => log.warn({ ...key, err: error }, 'the epoch could not be announced'));
    try {
      return await provider.create({ ...key, userId, bootstrap: () => admission.issue(key) });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log.warn({ ...key, err: error }, 'an incarnation could not be started');
      return { phase: 'exited', text };
    }
  }
}
