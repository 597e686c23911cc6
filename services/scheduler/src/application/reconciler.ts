import type { Clock } from '@plexus/kernel';
import { decide, park } from '../domain/decide.js';
import type { VmPolicy } from '../domain/policy.js';
import { place } from '../domain/placement.js';
import type { Effect, Observation, Placement } from '../domain/vm.js';
import { takesWork } from '../domain/vm-state.js';
import { type Admission, WARM_USER } from './admission.js';
import type { HandOver } from './hand-over.js';
import type { EpochCache, Hints, IncarnationKey, ProviderRef, Site, VmSnapshot, VmStore } from './ports.js';
import { ISOLATION_LEVELS, type Isolation, ProviderError, type ProviderRegistry, type VmProvider } from './provider-port.js';

/** While the host is being stopped nobody waits for politeness. */
export const PARK_GRACE_MS = 1_000;

export interface ReconcilerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ReconcilerParts {
  readonly store: VmStore;
  readonly providers: ProviderRegistry;
  readonly admission: Pick<Admission, 'issue'>;
  readonly handOver: Pick<HandOver, 'execute'>;
  readonly epochs: EpochCache;
  readonly hints: Hints;
  readonly policy: VmPolicy;
  readonly replica: string;
  readonly clock: Clock;
  readonly log: ReconcilerLog;
  readonly random: () => number;
  readonly strategy: 'spread' | 'pack';
  readonly onTransition: (from: string, to: string, cause: string) => void;
  readonly onStartFailed: (provider: string, reason: string) => void;
}

/** Steps of one VM under one claim; more are taken under the next. */
const MAX_ROUNDS = 16;
const RETRY_AFTER_MS = 1_000;
/** Whoever moves a VM of a host that stops has asked before: they are few. */
const MAX_PARKS = 8;
const HOST_STOPPED = { code: 'HOST_STOPPED', text: 'Its host was stopped; it starts again on demand.' };

/** Takes the steps that `decide` says, one VM at a time, under a claim. */
export class Reconciler {
  private closing = false;

  constructor(private readonly parts: ReconcilerParts) {}

  /** Stops an incarnation of this host in order, without starting another: its row says what happens at the next start. */
  async park(vmId: string): Promise<void> {
    this.closing = true;
    const { store, random } = this.parts;
    // The claim may still be that of a predecessor that was killed a moment ago; nobody else acts on this host.
    if (!(await store.seize(vmId))) return;
    for (let attempt = 1; attempt <= MAX_PARKS; attempt += 1) {
      const snapshot = await store.load(vmId);
      if (snapshot?.instance === undefined || snapshot.vm.state === 'stopping') break;
      const decision = park({ ...snapshot, observed: undefined, policy: this.policyOf(snapshot), random: random() }, HOST_STOPPED);
      if (await store.commit(snapshot, decision, { release: false })) {
        this.announce(snapshot, 'stopping', HOST_STOPPED.code);
        break;
      }
      // A caller has moved it meanwhile. Its end must not look like one of its own: it is looked at again.
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
    const { store, replica, random } = this.parts;
    let observed: (Observation & { readonly ref?: ProviderRef }) | undefined;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const snapshot = await store.load(vmId);
      if (snapshot === undefined || snapshot.claimOwner !== replica) return;
      const placement = await this.placementOf(snapshot);
      const decision = decide({ ...snapshot, observed, placement, policy: this.policyOf(snapshot), random: random() });
      if (this.closing && decision.effect.kind === 'create') return store.release(vmId);
      const idle = isCommitted(decision.effect) && (decision.nextActionAt === null || decision.nextActionAt > snapshot.now);
      // The last thing under the claim is the hand-over: it may fail, and then the VM must be looked at again soon.
      const state = decision.patch.state ?? snapshot.vm.state;
      const handsOver = idle && snapshot.pendingHandOvers > 0 && takesWork(state);
      const site = decision.instance?.kind === 'create' ? { site: this.siteOf(snapshot) } : {};
      if (!(await store.commit(snapshot, decision, { ref: observed?.ref, release: idle && !handsOver, ...site }))) {
        observed = undefined; // somebody else has moved it: look again
        continue;
      }
      if (decision.patch.state !== undefined) this.announce(snapshot, decision.patch.state, decision.cause ?? 'reconcile');
      if (decision.effect.kind === 'sendDrain') this.parts.hints.out(snapshot.owner.tenant, vmId);
      if (decision.patch.hostId !== undefined) this.parts.hints.wake(snapshot.owner.tenant, vmId);
      if (decision.patch.excludeHost === true) this.parts.onStartFailed(snapshot.provider ?? 'unknown', decision.patch.reason?.code ?? 'unknown');
      if (handsOver) await this.handOver(snapshot);
      if (idle) return;
      observed = await this.perform(snapshot, decision.effect);
    }
    await store.retryLater(vmId, 0);
  }

  private announce(snapshot: VmSnapshot, to: string, cause: string): void {
    const { vm, owner } = snapshot;
    this.parts.onTransition(vm.state, to, cause);
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
    if (isCommitted(effect)) return undefined;
    const provider = this.providerOf(snapshot);
    const key = await this.incarnation(snapshot, effect);
    if (key === undefined) return undefined;
    switch (effect.kind) {
      case 'none':
      case 'sendDrain':
        return undefined;
      case 'create':
        return this.create(provider, key, snapshot);
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

  private async create(provider: VmProvider, key: IncarnationKey, snapshot: VmSnapshot): Promise<(Observation & { readonly ref?: ProviderRef }) | undefined> {
    const { admission, epochs, log } = this.parts;
    const { owner, vm, template } = snapshot;
    // Beside the start: gateways turn predecessors away early, and whoever reads the database turns them away in any case.
    const announced = epochs.raise(key.vmId, key.epoch).catch((error: unknown) => log.warn({ ...key, err: error }, 'the epoch could not be announced'));
    try {
      return await provider.create({
        ...key,
        userId: vm.poolId === undefined ? owner.subject : WARM_USER,
        tenant: owner.tenant,
        template: { ...template?.spec, maxLifeMs: this.longestLife(snapshot), ...(template === undefined ? {} : { hash: template.hash }) },
        bootstrap: () => admission.issue(key),
      });
    } catch (error) {
      log.warn({ ...key, err: error }, 'an incarnation could not be started');
      return refusal(error);
    } finally {
      await announced;
    }
  }

  /** A member of a pool may be claimed on its last day and then live as long as any other. */
  private longestLife(snapshot: VmSnapshot): number {
    const { maxLifeMs } = this.policyOf(snapshot);
    if (snapshot.vm.poolId === undefined) return maxLifeMs;
    return maxLifeMs + (snapshot.template?.maxLifeMs ?? this.parts.policy.maxLifeMs);
  }

  private providerOf(snapshot: VmSnapshot): VmProvider {
    return this.parts.providers.get(this.providerName(snapshot));
  }

  /** Where the incarnation is; without one, where the next is to be: the template may have changed. */
  private providerName({ instance, provider, template }: VmSnapshot): string {
    const next = template?.provider ?? provider;
    return (instance === undefined ? next : provider) ?? this.parts.providers.default.name;
  }

  /** Limits of the VM itself before those of its provider before those of the service. */
  private policyOf(snapshot: VmSnapshot): VmPolicy {
    const { providers, policy } = this.parts;
    const name = this.providerName(snapshot);
    const provider = providers.has(name) ? providers.get(name) : undefined;
    return { ...policy, ...(provider === undefined || provider.kind === 'local' ? {} : provider.deadlines), ...snapshot.limits };
  }

  /** Where the next incarnation could be started; asked only when one is to be. */
  private async placementOf(snapshot: VmSnapshot): Promise<Placement | undefined> {
    const { vm, instance, template } = snapshot;
    if (vm.state !== 'requested' || instance !== undefined || vm.desired !== 'running') return undefined;
    const { providers, store, strategy, random } = this.parts;
    const provider = this.providerName(snapshot);
    const moves = vm.epoch > 0 && snapshot.provider !== undefined && snapshot.provider !== provider;
    if (moves && !snapshot.allowEmptyWorkspace) {
      const text = `Its workspace is with the provider ${snapshot.provider}, but its template wants ${provider}.`;
      return { kind: 'nowhere', code: 'HOST_UNSUITABLE', text };
    }
    const request = {
      provider,
      isolationMin: ISOLATION_LEVELS.indexOf((template?.isolationMin ?? 'none') as Isolation),
      labels: template?.labels ?? {},
      home: vm.epoch === 0 || moves ? undefined : snapshot.hostId,
      chosen: snapshot.hostId,
      lacksRoom: vm.reason?.code === 'CAPACITY',
      allowEmptyWorkspace: snapshot.allowEmptyWorkspace,
      excluded: snapshot.excludedHosts,
      strategy,
    };
    const result = place(request, await store.hosts(provider), random);
    if (result.kind === 'nowhere') return result;
    const isOurs = providers.has(provider) && providers.get(provider).hostId === result.hostId;
    return isOurs
      ? { kind: 'here' }
      : { kind: 'elsewhere', hostId: result.hostId, isChosen: result.hostId === snapshot.hostId && provider === snapshot.provider };
  }

  private siteOf(snapshot: VmSnapshot): Site {
    const { name, hostId } = this.providerOf(snapshot);
    return { provider: name, hostId, name: `plexus-${snapshot.vm.id}` };
  }
}

/** Nothing is left to do once it is committed. */
function isCommitted(effect: Effect): boolean {
  return effect.kind === 'none' || effect.kind === 'sendDrain';
}

/** What a rejected start means: `unavailable` is asked again, everything else is over. */
function refusal(error: unknown): Observation {
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ProviderError)) return { phase: 'exited', failure: 'start', text };
  switch (error.code) {
    case 'INVALID_SPEC':
      return { phase: 'exited', failure: 'permanent', reasonCode: error.code, text };
    case 'CAPACITY':
      return { phase: 'exited', failure: 'capacity', reasonCode: error.code, text };
    case 'QUOTA':
      return { phase: 'exited', failure: 'quota', reasonCode: error.code, text };
    case 'UNAVAILABLE':
      return {
        phase: 'unknown',
        failure: 'unavailable',
        reasonCode: 'PROVIDER_UNAVAILABLE',
        text,
        ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      };
    case 'IDENTITY_MISMATCH':
      return { phase: 'unknown', failure: 'start', reasonCode: error.code, text };
    case 'START_FAILED':
      return { phase: 'exited', failure: 'start', text };
  }
}
