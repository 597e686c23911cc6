import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { ReadInbox } from '../../application/read-inbox.js';
import { ownerOf, requireService } from './caller.js';

const { fetchInbox, markInbox, ackInbox, inboxHeads } = pushContracts;

@Controller()
export class InboxController {
  constructor(private readonly inbox: ReadInbox) {}

  @Rpc(fetchInbox)
  async fetch(@Payload() selection: DataOf<typeof fetchInbox>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof fetchInbox>> {
    return this.inbox.fetch(ownerOf(context, SCOPES.read), selection);
  }

  @Rpc(markInbox)
  async mark(@Payload() { state, ...selection }: DataOf<typeof markInbox>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof markInbox>> {
    return this.inbox.mark(ownerOf(context, SCOPES.read), selection, state);
  }

  @Rpc(ackInbox)
  async acknowledge(@Payload() target: DataOf<typeof ackInbox>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof ackInbox>> {
    return this.inbox.acknowledge(ownerOf(context, SCOPES.read), target);
  }

  @Rpc(inboxHeads)
  async heads(@Payload() { users }: DataOf<typeof inboxHeads>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof inboxHeads>> {
    requireService(context);
    return { heads: await this.inbox.heads(context.tenant, users) };
  }
}
