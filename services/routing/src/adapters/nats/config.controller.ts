import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { configContracts as contracts, type DataOf, NO_TENANT, plexusError, type ReplyOf, SCOPES } from '@plexus/contracts';
import type { StoredConfig } from '../../application/config-ports.js';
import { ReadConfig } from '../../application/read-config.js';
import { WriteConfig, type WriteOrder } from '../../application/write-config.js';
import { requireScope } from '../../domain/caller.js';
import { ConfigReplicas } from '../kv/config-replicas.js';
import { KvConfigStore } from '../kv/kv-config-store.js';

/** Answers `rpc config.*`: checks who asks, brings texts in, calls one use case. */
@Controller()
export class ConfigController {
  constructor(
    private readonly reading: ReadConfig,
    private readonly writing: WriteConfig,
    private readonly store: KvConfigStore,
    private readonly replicas: ConfigReplicas,
  ) {}

  @Rpc(contracts.getConfig)
  async onGet(@Payload() data: DataOf<typeof contracts.getConfig>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.getConfig>> {
    const tenant = readable(context);
    const found = await this.reading.get(tenant, data.revision);
    if (found === undefined) return { revision: 0, hash: this.reading.emptyHash, text: '{}', exists: false };
    return { revision: found.revision, hash: found.hash, ...textOf(found), exists: true, at: found.at, by: found.by };
  }

  @Rpc(contracts.applyConfig)
  async onApply(@Payload() data: DataOf<typeof contracts.applyConfig>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.applyConfig>> {
    const order = { ...writable(context), baseHash: data.baseHash, baseRevision: data.baseRevision, comment: data.comment };
    const text = await this.text(order.tenant, data);
    if (text === undefined) throw plexusError('INVALID_REQUEST', { message: 'Send the document as `text`, or as `stored`.' });
    return this.writing.apply(order, text, data.force);
  }

  @Rpc(contracts.patchConfig)
  async onPatch(@Payload() data: DataOf<typeof contracts.patchConfig>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.patchConfig>> {
    return this.writing.patch({ ...writable(context), baseHash: data.baseHash, comment: data.comment }, data.patch);
  }

  @Rpc(contracts.checkConfig)
  async onCheck(@Payload() data: DataOf<typeof contracts.checkConfig>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.checkConfig>> {
    const tenant = readable(context);
    const text = await this.text(tenant, data);
    if ((text === undefined) === (data.patch === undefined))
      throw plexusError('INVALID_REQUEST', { message: 'Send the document as `text` or `stored`, or a `patch`.' });
    return this.reading.check(tenant, text === undefined ? { patch: data.patch as Record<string, unknown> } : { text });
  }

  @Rpc(contracts.diffConfig)
  async onDiff(@Payload() data: DataOf<typeof contracts.diffConfig>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.diffConfig>> {
    const tenant = readable(context);
    return this.reading.diff(tenant, { from: data.from, to: data.to, text: await this.text(tenant, data) });
  }

  @Rpc(contracts.configHistory)
  async onHistory(@Payload() data: DataOf<typeof contracts.configHistory>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.configHistory>> {
    const entries = await this.reading.history(readable(context), data.limit);
    return { entries: entries.map((entry) => ({ ...entry, changedPaths: [...entry.changedPaths] })) };
  }

  @Rpc(contracts.rollbackConfig)
  async onRollback(@Payload() data: DataOf<typeof contracts.rollbackConfig>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.rollbackConfig>> {
    const order = { ...writable(context), baseHash: data.baseHash, baseRevision: data.baseRevision, comment: data.comment };
    return this.writing.rollback(order, data.revision);
  }

  @Rpc(contracts.configStatus)
  async onStatus(@Payload() _data: DataOf<typeof contracts.configStatus>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.configStatus>> {
    const tenant = readable(context);
    const newest = await this.reading.get(tenant);
    return this.replicas.status(tenant, newest?.revision ?? 0, newest?.hash);
  }

  private async text(
    tenant: string,
    data: { readonly text?: string | undefined; readonly stored?: contracts.StoredText | undefined },
  ): Promise<string | undefined> {
    if (data.text !== undefined && data.stored !== undefined) throw plexusError('INVALID_REQUEST', { message: 'Send `text` or `stored`, not both.' });
    return data.stored === undefined ? data.text : this.store.load(tenant, data.stored);
  }
}

/** A large text is not sent but told where it lies. */
function textOf({ text }: StoredConfig): { text: string } | { stored: contracts.StoredText } {
  return typeof text === 'string' ? { text } : { stored: text };
}

/** Throws FORBIDDEN, MISSING_SCOPE. */
function readable({ tenant, principal }: RpcContext): string {
  requireTenant(tenant);
  if (principal.role === 'vm') throw plexusError('FORBIDDEN', { message: 'VMs have no access to the configuration.' });
  requireScope(principal, SCOPES.read);
  return tenant;
}

/** Throws FORBIDDEN, MISSING_SCOPE. */
function writable({ tenant, principal }: RpcContext): WriteOrder {
  requireTenant(tenant);
  if (principal.role === 'vm') throw plexusError('FORBIDDEN', { message: 'VMs have no access to the configuration.' });
  requireScope(principal, SCOPES.admin);
  return { tenant, by: principal.user ?? principal.source ?? principal.credentialId, credentialId: principal.credentialId };
}

/** The platform's own document says who may speak for whom: no credential of a tenant may touch it, and there are no others. */
function requireTenant(tenant: string): void {
  if (tenant !== NO_TENANT) return;
  throw plexusError('FORBIDDEN', {
    message: 'The platform document is changed by whoever operates NATS (bucket PLEXUS_CONFIG, key `_`), not through this service.',
  });
}
