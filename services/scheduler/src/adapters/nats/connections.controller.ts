import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, type ReplyOf, vmContracts } from '@plexus/contracts';
import { Admission } from '../../application/admission.js';
import { Connections } from '../../application/connections.js';
import { gatewayTenant } from './caller.js';

const { redeemTicket, verifyVmToken, refreshVmToken, attachVm, detachVm, beatVms, readOutbox, ackOutbox, submitVmFrame, markVmInbox } = vmContracts;

/** What gateways ask for the sockets of VMs that they hold. */
@Controller()
export class ConnectionsController {
  constructor(
    private readonly admission: Admission,
    private readonly connections: Connections,
  ) {}

  @Rpc(redeemTicket)
  redeem(@Payload() { ticket, userId, clientNonce }: DataOf<typeof redeemTicket>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof redeemTicket>> {
    return this.admission.redeem(ticket, gatewayTenant(context), userId, clientNonce);
  }

  @Rpc(verifyVmToken)
  async verify(@Payload() { token, userId }: DataOf<typeof verifyVmToken>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof verifyVmToken>> {
    const { vmId, epoch, tenant, userId: owner, orgId } = await this.admission.verify(token, gatewayTenant(context), userId);
    return { vmId, epoch, tenant, owner, orgId };
  }

  @Rpc(refreshVmToken)
  refresh(@Payload() { vmId, epoch, connGen }: DataOf<typeof refreshVmToken>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof refreshVmToken>> {
    return this.admission.refresh({ vmId, epoch, tenant: gatewayTenant(context) }, connGen);
  }

  @Rpc(attachVm)
  attach(@Payload() { vmId, epoch, ...connection }: DataOf<typeof attachVm>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof attachVm>> {
    return this.connections.attach({ vmId, epoch, tenant: gatewayTenant(context) }, connection);
  }

  @Rpc(detachVm)
  async detach(@Payload() { vmId, epoch, connGen }: DataOf<typeof detachVm>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof detachVm>> {
    await this.connections.detach({ vmId, epoch, tenant: gatewayTenant(context) }, connGen);
    return {};
  }

  @Rpc(beatVms)
  async beat(@Payload() { beats }: DataOf<typeof beatVms>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof beatVms>> {
    return { vms: [...(await this.connections.beat(gatewayTenant(context), beats))] };
  }

  @Rpc(readOutbox)
  async read(@Payload() { vmId, epoch, connGen, after, limit }: DataOf<typeof readOutbox>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof readOutbox>> {
    const { frames, head } = await this.connections.read({ vmId, epoch, tenant: gatewayTenant(context) }, connGen, after, limit);
    return { frames: [...frames], head };
  }

  @Rpc(ackOutbox)
  async ack(@Payload() { vmId, epoch, upTo }: DataOf<typeof ackOutbox>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof ackOutbox>> {
    await this.connections.ack({ vmId, epoch, tenant: gatewayTenant(context) }, upTo);
    return {};
  }

  @Rpc(submitVmFrame)
  submit(@Payload() { vmId, epoch, fseq, frame }: DataOf<typeof submitVmFrame>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof submitVmFrame>> {
    return this.connections.submit({ vmId, epoch, tenant: gatewayTenant(context) }, fseq, frame);
  }

  @Rpc(markVmInbox)
  async mark(@Payload() { vmId, epoch, upTo }: DataOf<typeof markVmInbox>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof markVmInbox>> {
    return { recvSeq: await this.connections.mark({ vmId, epoch, tenant: gatewayTenant(context) }, upTo) };
  }
}
