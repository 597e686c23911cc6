import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, plexusError, type ReplyOf, SCOPES, vmContracts } from '@plexus/contracts';
import { AttachExternal } from '../../application/attach-external.js';
import { EnsureVm } from '../../application/ensure-vm.js';
import { ManageVms } from '../../application/manage-vms.js';
import type { DesiredChange, Hints, OwnerKey } from '../../application/ports.js';
import { HINTS, SANDBOXES, type Sandboxes } from '../../tokens.js';
import { PostgresHosts } from '../postgres/host-rows.js';
import { normaliseScope } from '../sandbox-settings.js';
import { operatorOf, ownerOf, sourceOf, visibleTo } from './caller.js';

const { ensureVm, getVm, listVms, terminateVm, pauseVm, resumeVm, touchVm, drainVm, vmLogs, whyVm, vmHistory, usageByDay, endVmSession } = vmContracts;
const { attachExternalVm, listHosts, drainHost } = vmContracts;

type VmAnswer = ReplyOf<typeof getVm>;

/** What people and other services ask about VMs. */
@Controller()
export class VmsController {
  constructor(
    private readonly ensuring: EnsureVm,
    private readonly vms: ManageVms,
    private readonly attaching: AttachExternal,
    private readonly hosts: PostgresHosts,
    @Inject(SANDBOXES) private readonly sandboxes: Sandboxes,
    @Inject(HINTS) private readonly hints: Hints,
  ) {}

  @Rpc(ensureVm)
  ensure(@Payload() data: DataOf<typeof ensureVm>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof ensureVm>> {
    const { wait, waitMs, template, allowEmptyWorkspace } = data;
    const { owner, limits } = this.ownerOf(context, data);
    const wish = { template, allowEmptyWorkspace, source: sourceOf(context), ...limits };
    return this.ensuring.execute({ owner, wish, wait, waitMs, signal: context.signal });
  }

  /** Whose VM the caller means, and its limits. Who may not ask for VMs learns nothing about agents. */
  private ownerOf(context: RpcContext, wish: Parameters<Sandboxes>[1]): { readonly owner: OwnerKey; readonly limits: Omit<ReturnType<Sandboxes>, 'scope'> } {
    ownerOf(context, wish.scope, SCOPES.write);
    const { scope, ...limits } = this.sandboxes(context.tenant, wish);
    return { owner: ownerOf(context, scope, SCOPES.write), limits };
  }

  @Rpc(getVm)
  async get(@Payload() { vmId }: DataOf<typeof getVm>, @Ctx() context: RpcContext): Promise<VmAnswer> {
    return { vm: found(await this.vms.get(visibleTo(context, SCOPES.read), vmId)) };
  }

  @Rpc(listVms)
  async list(@Payload() selection: DataOf<typeof listVms>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listVms>> {
    return { vms: await this.vms.list(visibleTo(context, SCOPES.read), selection) };
  }

  @Rpc(terminateVm)
  terminate(@Payload() { vmId }: DataOf<typeof terminateVm>, @Ctx() context: RpcContext): Promise<VmAnswer> {
    return this.change(context, vmId, 'terminate');
  }

  @Rpc(pauseVm)
  pause(@Payload() { vmId }: DataOf<typeof pauseVm>, @Ctx() context: RpcContext): Promise<VmAnswer> {
    return this.change(context, vmId, 'pause');
  }

  @Rpc(resumeVm)
  resume(@Payload() { vmId }: DataOf<typeof resumeVm>, @Ctx() context: RpcContext): Promise<VmAnswer> {
    return this.change(context, vmId, 'resume');
  }

  @Rpc(touchVm)
  touch(@Payload() { vmId }: DataOf<typeof touchVm>, @Ctx() context: RpcContext): Promise<VmAnswer> {
    return this.change(context, vmId, 'touch');
  }

  @Rpc(drainVm)
  drain(@Payload() { vmId, cancel }: DataOf<typeof drainVm>, @Ctx() context: RpcContext): Promise<VmAnswer> {
    return this.change(context, vmId, cancel ? 'cancel-drain' : 'drain');
  }

  private async change(context: RpcContext, vmId: string, change: DesiredChange): Promise<VmAnswer> {
    return { vm: found(await this.vms.change(visibleTo(context, SCOPES.write), vmId, change, sourceOf(context))) };
  }

  @Rpc(endVmSession)
  endSession(@Payload() { sessionId, reason }: DataOf<typeof endVmSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof endVmSession>> {
    return this.vms.endSession(visibleTo(context, SCOPES.write), sessionId, reason);
  }

  @Rpc(vmLogs)
  async logs(@Payload() { vmId, tailBytes }: DataOf<typeof vmLogs>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof vmLogs>> {
    return found(await this.vms.logs(visibleTo(context, SCOPES.read), vmId, tailBytes));
  }

  @Rpc(whyVm)
  async why(@Payload() { vmId }: DataOf<typeof whyVm>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof whyVm>> {
    return found(await this.vms.why(visibleTo(context, SCOPES.read), vmId));
  }

  @Rpc(vmHistory)
  async history(@Payload() data: DataOf<typeof vmHistory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof vmHistory>> {
    return { transitions: found(await this.vms.history(visibleTo(context, SCOPES.read), data)) };
  }

  @Rpc(usageByDay)
  usage(@Payload() data: DataOf<typeof usageByDay>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof usageByDay>> {
    return this.vms.usage(visibleTo(context, SCOPES.read), data);
  }

  @Rpc(attachExternalVm)
  async attachExternal(
    @Payload() { scope, template, waitMs }: DataOf<typeof attachExternalVm>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof attachExternalVm>> {
    // Whoever brings a runtime may do so before its agent is configured.
    const owner = ownerOf(context, normaliseScope(scope), SCOPES.write);
    const { expiresAt, ...ticket } = await this.attaching.execute({ owner, template, waitMs, signal: context.signal });
    return { ...ticket, expiresAt: new Date(expiresAt).toISOString() };
  }

  @Rpc(listHosts)
  async listHosts(@Ctx() context: RpcContext): Promise<ReplyOf<typeof listHosts>> {
    operatorOf(context);
    return { hosts: await this.hosts.list() };
  }

  @Rpc(drainHost)
  async drainHost(@Payload() { hostId, cancel }: DataOf<typeof drainHost>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof drainHost>> {
    operatorOf(context);
    const drained = await this.hosts.drain(hostId, cancel);
    if (drained === undefined) throw plexusError('NOT_FOUND', { message: 'There is no such host.' });
    for (const vmId of drained.vmIds) this.hints.wake(context.tenant, vmId);
    return { host: drained.host };
  }
}

function found<T>(vm: T | undefined): T {
  if (vm === undefined) throw plexusError('NOT_FOUND', { message: 'There is no such VM, or it belongs to somebody else.' });
  return vm;
}
