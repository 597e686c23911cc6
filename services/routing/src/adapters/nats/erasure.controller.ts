import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { Delivery, Outcome, RpcContext } from '@plexus/bus';
import { Consume, Rpc } from '@plexus/bus/nest';
import { CONSUMERS, type DataOf, type ReplyOf, routingContracts as contracts, SCOPES } from '@plexus/contracts';
import { ErasePerson } from '../../application/erase-person.js';
import type { ErasureRecord } from '../../application/maintenance-ports.js';
import { TenantSettings } from '../../application/tenant-settings.js';
import { requireScope } from '../../domain/caller.js';
import { requireStorable } from '../../domain/text-limits.js';

/** Starts erasures, does routing's part of them, and collects the receipts of all. */
@Controller()
export class ErasureController {
  constructor(
    private readonly settings: TenantSettings,
    private readonly erasing: ErasePerson,
  ) {}

  @Rpc(contracts.eraseUser)
  async onErase(@Payload() data: DataOf<typeof contracts.eraseUser>, @Ctx() { tenant, principal }: RpcContext): Promise<ReplyOf<typeof contracts.eraseUser>> {
    requireScope(principal, SCOPES.admin);
    requireStorable(data.user, 'user');
    return shown(await this.erasing.request(tenant, principal.user ?? principal.credentialId, data.user));
  }

  @Rpc(contracts.getErasure)
  async onGet(@Payload() data: DataOf<typeof contracts.getErasure>, @Ctx() { tenant, principal }: RpcContext): Promise<ReplyOf<typeof contracts.getErasure>> {
    requireScope(principal, SCOPES.admin);
    return shown(await this.erasing.find(tenant, data.erasureId));
  }

  @Consume(CONSUMERS.routingErase, { concurrency: 1, contracts: [contracts.eraseRequested] })
  async onRequested(@Ctx() { tenant, data }: Delivery<DataOf<typeof contracts.eraseRequested>>): Promise<Outcome> {
    await this.erasing.erase(tenant, this.settings.find(tenant)?.config, data);
    return { kind: 'done' };
  }

  @Consume(CONSUMERS.routingErased, { concurrency: 4, contracts: [contracts.userErased] })
  async onErased(@Ctx() { tenant, data }: Delivery<DataOf<typeof contracts.userErased>>): Promise<Outcome> {
    await this.erasing.collect(tenant, data);
    return { kind: 'done' };
  }
}

function shown({ erasureId, user, requestedAt, receipts, expected }: ErasureRecord): ReplyOf<typeof contracts.getErasure> {
  const missing = expected.filter((service) => !receipts.some((receipt) => receipt.service === service));
  return {
    ...{ erasureId, user, requestedAt: requestedAt.toISOString(), missing, complete: missing.length === 0 },
    receipts: receipts.map(({ service, counts, problem, at }) => ({ service, counts, at: at.toISOString(), ...(problem === undefined ? {} : { problem }) })),
  };
}
