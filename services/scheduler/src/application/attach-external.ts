import { plexusError } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { isTerminal, type VmState } from '../domain/vm-state.js';
import type { ChangeSignal } from './change-signal.js';
import type { OwnerKey } from './ports.js';
import type { Bootstrap, IncarnationKey } from './provider-port.js';

/** What is known of a VM that somebody wants to start a runtime for. */
export interface WaitingVm {
  readonly state: VmState;
  readonly reason: string | undefined;
  /** The incarnation that may be admitted now. */
  readonly incarnation: { readonly epoch: number; readonly isExternal: boolean; readonly attached: boolean } | undefined;
}

export interface ExternalVms {
  /**
   * Makes sure that this owner has a VM of the external provider and that one is wanted; never waits. Rejects with QUOTA_EXCEEDED and the like as any
   * `ensure`, with INVALID_REQUEST for a template of another provider.
   */
  ensure(owner: OwnerKey, template: string | undefined): Promise<{ readonly vmId: string }>;
  find(vmId: string): Promise<WaitingVm | undefined>;
  /** Fresh secrets in place of all earlier ones that were not used. Undefined: it may not be attached any more. */
  issue(key: IncarnationKey): Promise<Bootstrap | undefined>;
}

export interface AttachRequest {
  readonly owner: OwnerKey;
  readonly template: string | undefined;
  /** How long to wait until the VM can be attached; it takes one step of the reconciler. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Everything that a runtime needs to connect. The model key stays here: who starts a runtime elsewhere brings one. */
export interface AttachTicket extends IncarnationKey {
  readonly userId: string;
  readonly ticket: string;
  readonly token: string;
  readonly bootstrapSecret: string;
  readonly ws: string;
  /** Until when the ticket may be used, in milliseconds. */
  readonly expiresAt: number;
}

/** Looks this often even if no change was signalled. */
const POLL_MS = 500;

/** "Bring your own runtime": a one-time ticket for the external VM of an owner. */
export class AttachExternal {
  constructor(
    private readonly vms: ExternalVms,
    private readonly changes: Pick<ChangeSignal, 'wait'>,
    private readonly clock: Clock,
    private readonly options: { readonly ws: string; readonly attachMs: number },
  ) {}

  /**
   * Rejects with CONFLICT when a runtime is connected already, or the VM belongs to another provider; with VM_UNAVAILABLE when it does not get as far in time.
   * A second call makes the ticket of the first worthless.
   */
  async execute(request: AttachRequest): Promise<AttachTicket> {
    const { owner, signal } = request;
    const until = this.clock.monotonic() + request.waitMs;
    let { vmId } = await this.vms.ensure(owner, request.template);
    for (;;) {
      const vm = await this.vms.find(vmId);
      const ticket = vm && (await this.tryIssue(vmId, owner, vm));
      if (ticket !== undefined) return ticket;
      const remaining = until - this.clock.monotonic();
      if (remaining <= 0 || signal.aborted) {
        const reason = vm?.reason ?? `it is still ${vm?.state ?? 'unknown'}`;
        throw plexusError('VM_UNAVAILABLE', { details: { vmId, state: vm?.state, reason } });
      }
      await this.changes.wait(vmId, Math.min(POLL_MS, remaining), signal);
      // The one that was being ended is over: its owner gets another.
      if (vm === undefined || isTerminal(vm.state)) ({ vmId } = await this.vms.ensure(owner, request.template));
    }
  }

  private async tryIssue(vmId: string, owner: OwnerKey, { state, incarnation }: WaitingVm): Promise<AttachTicket | undefined> {
    if (incarnation === undefined) return undefined;
    const { epoch } = incarnation;
    if (!incarnation.isExternal) {
      throw plexusError('CONFLICT', { message: 'The VM of this owner is started by the scheduler itself; end it first.', details: { vmId, state } });
    }
    if (incarnation.attached) {
      throw plexusError('CONFLICT', { message: 'A runtime is connected as this VM already; end the VM first.', details: { vmId, state, epoch } });
    }
    const secrets = await this.vms.issue({ vmId, epoch });
    if (secrets === undefined) return undefined;
    const { ticket, token, bootstrapSecret } = secrets;
    const expiresAt = this.clock.now() + this.options.attachMs;
    return { vmId, epoch, userId: owner.subject, ticket, token, bootstrapSecret, ws: this.options.ws, expiresAt };
  }
}
