import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, plexusError, type ReplyOf, SCOPES, vmContracts } from '@plexus/contracts';
import { EnsureVm } from '../../application/ensure-vm.js';
import { ManageVms } from '../../application/manage-vms.js';
import { ownerOf, visibleTo } from './caller.js';

const { ensureVm, getVm, listVms, terminateVm } = vmContracts;

/** What people and other services ask about VMs. */
@Controller()
export class VmsController {
  constructor(
    private readonly ensuring: EnsureVm,
    private readonly vms: ManageVms,
  ) {}

  @Rpc(ensureVm)
  ensure(@Payload() { scope, wait, waitMs }: DataOf<typeof ensureVm>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof ensureVm>> {
    return this.ensuring.execute({ owner: ownerOf(context, scope, SCOPES.write), wait, waitMs, signal: context.signal });
  }

  @Rpc(getVm)
  async get(@Payload() { vmId }: DataOf<typeof getVm>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof getVm>> {
    return { vm: found(await this.vms.get(visibleTo(context, SCOPES.read), vmId)) };
  }

  @Rpc(listVms)
  async list(@Payload() selection: DataOf<typeof listVms>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listVms>> {
    return { vms: await this.vms.list(visibleTo(context, SCOPES.read), selection) };
  }

  @Rpc(terminateVm)
  async terminate(@Payload() { vmId }: DataOf<typeof terminateVm>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof terminateVm>> {
    return { vm: found(await this.vms.terminate(visibleTo(context, SCOPES.write), vmId)) };
  }
}

function found<T>(vm: T | undefined): T {
  if (vm === undefined) throw plexusError('NOT_FOUND', { message: 'There is no such VM, or it belongs to somebody else.' });
  return vm;
}
