import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { ImportSubscriptions } from '../../application/managing/import-subscriptions.js';
import { ManageSubscriptions } from '../../application/managing/manage-subscriptions.js';
import { invalid } from '../../application/managing/invalid.js';
import { administratorOf, ownerOf } from './caller.js';
import { draftFrom, patchFrom, toContract } from './subscription-contract.js';

const { subscribe, getSubscription, updateSubscription, unsubscribe, listSubscriptions, importSubscriptions } = pushContracts;

@Controller()
export class SubscriptionsController {
  constructor(
    private readonly subscriptions: ManageSubscriptions,
    private readonly imports: ImportSubscriptions,
  ) {}

  @Rpc(subscribe)
  async subscribe(@Payload() data: DataOf<typeof subscribe>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof subscribe>> {
    const owner = ownerOf(context, SCOPES.write);
    const { draft, issues } = draftFrom(data);
    if (issues.length > 0) throw invalid(...issues);
    const { subscription, created } = await this.subscriptions.subscribe(owner, draft);
    return { subscription: toContract(subscription), created };
  }

  @Rpc(getSubscription)
  async get(@Payload() { id }: DataOf<typeof getSubscription>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof getSubscription>> {
    return { subscription: toContract(await this.subscriptions.get(ownerOf(context, SCOPES.read), id)) };
  }

  @Rpc(updateSubscription)
  async update(@Payload() data: DataOf<typeof updateSubscription>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof updateSubscription>> {
    const owner = ownerOf(context, SCOPES.write);
    const { patch, issues } = patchFrom(data);
    if (issues.length > 0) throw invalid(...issues);
    const { subscription, changed } = await this.subscriptions.update(owner, data.id, patch, data.baseVersion);
    return { subscription: toContract(subscription), changed };
  }

  @Rpc(unsubscribe)
  async unsubscribe(@Payload() { id }: DataOf<typeof unsubscribe>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof unsubscribe>> {
    return { removed: await this.subscriptions.unsubscribe(ownerOf(context, SCOPES.write), id) };
  }

  @Rpc(listSubscriptions)
  async list(@Payload() { cursor, ...page }: DataOf<typeof listSubscriptions>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listSubscriptions>> {
    const after = cursor === undefined ? {} : { after: cursor };
    const { subscriptions, ...rest } = await this.subscriptions.list(ownerOf(context, SCOPES.read), { ...page, ...after });
    return { ...rest, subscriptions: subscriptions.map(toContract) };
  }

  @Rpc(importSubscriptions)
  async import(@Payload() { rows, check }: DataOf<typeof importSubscriptions>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof importSubscriptions>> {
    const { tenant } = administratorOf(context);
    const read = rows.map(({ user, remove, ...row }) => ({ user, remove, ...draftFrom(row) }));
    const report = await this.imports.import(tenant, read, check);
    const count = (wanted: string) => report.rows.filter(({ outcome }) => outcome === wanted).length;
    return {
      applied: report.applied,
      created: count('created'),
      updated: count('updated'),
      unchanged: count('unchanged'),
      removed: count('removed'),
      refused: count('refused'),
      rows: [...report.rows],
    };
  }
}
