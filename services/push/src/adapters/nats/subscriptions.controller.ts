import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { ManageSubscriptions } from '../../application/manage-subscriptions.js';
import type { StoredSubscription } from '../../application/ports.js';
import { ownerOf } from './caller.js';

const { subscribe, unsubscribe, listSubscriptions } = pushContracts;

@Controller()
export class SubscriptionsController {
  constructor(private readonly subscriptions: ManageSubscriptions) {}

  @Rpc(subscribe)
  async subscribe(@Payload() draft: DataOf<typeof subscribe>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof subscribe>> {
    const { subscription, created } = await this.subscriptions.subscribe(ownerOf(context, SCOPES.write), draft);
    return { subscription: toContract(subscription), created };
  }

  @Rpc(unsubscribe)
  async unsubscribe(@Payload() { id }: DataOf<typeof unsubscribe>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof unsubscribe>> {
    return { removed: await this.subscriptions.unsubscribe(ownerOf(context, SCOPES.write), id) };
  }

  @Rpc(listSubscriptions)
  async list(@Ctx() context: RpcContext): Promise<ReplyOf<typeof listSubscriptions>> {
    return { subscriptions: (await this.subscriptions.list(ownerOf(context, SCOPES.read))).map(toContract) };
  }
}

function toContract({ version: _internal, typePatterns, ...rest }: StoredSubscription): pushContracts.Subscription {
  return { ...rest, typePatterns: [...typePatterns] };
}
