import type { vmContracts } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import type { Hints, OwnerStore } from './ports.js';

/** Whose VMs: one user's, or with `subject` undefined a whole tenant's. */
export interface Visibility {
  readonly tenant: string;
  readonly subject: string | undefined;
}

/** Listing is ordinary reading; nothing hot goes through here. */
export interface VmCatalogue {
  find(who: Visibility, vmId: string): Promise<vmContracts.VmSummary | undefined>;
  /** Newest first. */
  list(who: Visibility, selection: { readonly includeTerminated: boolean; readonly limit: number }): Promise<vmContracts.VmSummary[]>;
}

/** Looking at VMs, and ending them. */
export class ManageVms {
  constructor(
    private readonly catalogue: VmCatalogue,
    private readonly owners: OwnerStore,
    private readonly hints: Hints,
  ) {}

  get(who: Visibility, vmId: string): Promise<vmContracts.VmSummary | undefined> {
    // An id that no database can hold names nothing.
    return isStorableText(vmId) ? this.catalogue.find(who, vmId) : Promise.resolve(undefined);
  }

  list(who: Visibility, selection: { readonly includeTerminated: boolean; readonly limit: number }): Promise<vmContracts.VmSummary[]> {
    return this.catalogue.list(who, selection);
  }

  /** Wants it gone, and does not wait for that. Undefined: there is no such VM for this caller. */
  async terminate(who: Visibility, vmId: string): Promise<vmContracts.VmSummary | undefined> {
    if (!isStorableText(vmId)) return undefined;
    if (await this.owners.terminate(vmId, who.tenant, who.subject)) this.hints.wake(who.tenant, vmId);
    return this.catalogue.find(who, vmId);
  }
}
