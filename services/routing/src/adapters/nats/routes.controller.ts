import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, type ReplyOf, routingContracts as contracts, SCOPES } from '@plexus/contracts';
import { explainRoute, type RouteInput } from '@plexus/routing-core';
import { ReadSessions } from '../../application/read-sessions.js';
import { SendMessage } from '../../application/send-message.js';
import { TenantSettings } from '../../application/tenant-settings.js';
import { requireScope } from '../../domain/caller.js';

/** Answers where messages go: from the tenant's compiled configuration, without the database. `routing.resolve` itself is served beside Nest. */
@Controller()
export class RoutesController {
  constructor(
    private readonly settings: TenantSettings,
    private readonly reading: ReadSessions,
    private readonly sending: SendMessage,
  ) {}

  @Rpc(contracts.explainRoute)
  async onExplain(@Payload() data: DataOf<typeof contracts.explainRoute>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.explainRoute>> {
    requireScope(context.principal, SCOPES.read);
    const snapshot = this.settings.get(context.tenant);
    const { route, tiers } = explainRoute(this.settings.routes(snapshot), data as RouteInput);
    return { route: { ...route, configRevision: snapshot.revision }, tiers: tiers.map((tier) => ({ ...tier })) };
  }

  @Rpc(contracts.resolveOutbound)
  async onResolveOutbound(
    @Payload() data: DataOf<typeof contracts.resolveOutbound>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof contracts.resolveOutbound>> {
    requireScope(context.principal, SCOPES.read);
    const route = this.sending.resolve(this.settings.get(context.tenant), data);
    return route === undefined ? {} : { route };
  }

  @Rpc(contracts.listAgents)
  async onListAgents(@Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.listAgents>> {
    requireScope(context.principal, SCOPES.read);
    return this.reading.agents(this.settings.get(context.tenant).config);
  }
}
