import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, type ReplyOf, routingContracts as contracts, SCOPES } from '@plexus/contracts';
import type { SessionGrant } from '../../application/grant-ports.js';
import { ImportSession } from '../../application/import-session.js';
import { ManageSessions } from '../../application/manage-sessions.js';
import { MigrateKeys } from '../../application/migrate-keys.js';
import { ReadSessions, summariseSession } from '../../application/read-sessions.js';
import { SessionAccess } from '../../application/session-access.js';
import { ShareSessions } from '../../application/share-sessions.js';
import { type Owner, ownerOf, requireScope } from '../../domain/caller.js';
import { addressSession, storedKey } from '../../domain/session-address.js';
import { requireStorable } from '../../domain/text-limits.js';
import { RoutingSettings } from './routing-settings.js';

/** Answers what is done with whole sessions: sharing, relabelling, deleting, previews, exports, imports, migration of keys. */
@Controller()
export class SessionCareController {
  constructor(
    private readonly settings: RoutingSettings,
    private readonly sessions: ManageSessions,
    private readonly sharing: ShareSessions,
    private readonly access: SessionAccess,
    private readonly reading: ReadSessions,
    private readonly migration: MigrateKeys,
    private readonly importing: ImportSession,
  ) {}

  @Rpc(contracts.shareSession)
  async onShare(@Payload() data: DataOf<typeof contracts.shareSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.shareSession>> {
    const { owner, sessionKey } = this.#own(context, data, SCOPES.write);
    requireStorable(data.grantee, 'grantee');
    return { sessionKey, grant: shown(await this.sharing.share(owner, sessionKey, data.grantee, data.access)) };
  }

  @Rpc(contracts.unshareSession)
  async onUnshare(@Payload() data: DataOf<typeof contracts.unshareSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.unshareSession>> {
    const { owner, sessionKey } = this.#own(context, data, SCOPES.write);
    requireStorable(data.grantee, 'grantee');
    return { sessionKey, removed: await this.sharing.unshare(owner, sessionKey, data.grantee) };
  }

  @Rpc(contracts.listGrants)
  async onListGrants(@Payload() data: DataOf<typeof contracts.listGrants>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.listGrants>> {
    const { owner, sessionKey } = this.#own(context, data, SCOPES.read);
    return { sessionKey, grants: (await this.sharing.list(owner, sessionKey)).map(shown) };
  }

  @Rpc(contracts.sessionAccess)
  async onAccess(@Payload() data: DataOf<typeof contracts.sessionAccess>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.sessionAccess>> {
    requireScope(context.principal, SCOPES.read);
    const { tenant, principal } = context;
    const { access, owner, sessionKey, session } = await this.access.accessOf(this.settings.snapshotOf(tenant), tenant, principal, data);
    const sessionId =
      access === 'owner' ? (await this.reading.describe({ tenant, owner }, sessionKey))?.sessionId : access === 'none' ? undefined : session?.sessionId;
    return { access, owner, sessionKey, ...(sessionId === undefined ? {} : { sessionId }) };
  }

  @Rpc(contracts.patchSession)
  async onPatch(@Payload() data: DataOf<typeof contracts.patchSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.patchSession>> {
    const { owner, sessionKey } = this.#own(context, data, SCOPES.write);
    const { label, displayName } = data;
    for (const [field, text] of Object.entries({ label, displayName })) if (typeof text === 'string') requireStorable(text, field);
    return { session: summariseSession(await this.sessions.patch(owner, sessionKey, { label, displayName })) };
  }

  @Rpc(contracts.deleteSession)
  async onDelete(@Payload() data: DataOf<typeof contracts.deleteSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.deleteSession>> {
    const { owner, sessionKey } = this.#own(context, data, SCOPES.admin);
    const session = await this.sessions.delete(owner, sessionKey);
    return { sessionKey, deleted: session !== undefined, ...(session === undefined ? {} : { sessionId: session.sessionId }) };
  }

  @Rpc(contracts.previewSessions)
  async onPreview(@Payload() data: DataOf<typeof contracts.previewSessions>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.previewSessions>> {
    const config = this.settings.configOf(context.tenant);
    requireScope(context.principal, SCOPES.read);
    const keys = data.sessionKeys.map((sessionKey) => storedKey(config, { sessionKey }));
    return { previews: await this.reading.preview(ownerOf(context.tenant, context.principal), keys, data) };
  }

  @Rpc(contracts.exportSession)
  async onExport(@Payload() data: DataOf<typeof contracts.exportSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.exportSession>> {
    const { tenant, principal } = context;
    requireScope(principal, SCOPES.read);
    const snapshot = this.settings.snapshotOf(tenant);
    const owner = await this.access.ownerFor(snapshot, tenant, principal, data, 'read');
    return this.reading.exported(owner, storedKey(snapshot.config, data), data);
  }

  @Rpc(contracts.migrateSessionKeys)
  async onMigrate(
    @Payload() data: DataOf<typeof contracts.migrateSessionKeys>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof contracts.migrateSessionKeys>> {
    requireScope(context.principal, SCOPES.admin);
    return this.migration.execute(context.tenant, this.settings.snapshotOf(context.tenant), data);
  }

  @Rpc(contracts.importSession)
  async onImport(@Payload() data: DataOf<typeof contracts.importSession>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.importSession>> {
    requireScope(context.principal, SCOPES.admin);
    const config = this.settings.configOf(context.tenant);
    const owner = ownerOf(context.tenant, context.principal);
    for (const [field, value] of Object.entries({ ...data.origin, ...data.lastRoute, ...data })) if (typeof value === 'string') requireStorable(value, field);
    for (const { id, text } of data.messages) for (const [field, value] of Object.entries({ id, text })) requireStorable(value, field);
    // Before the agents of the import are configured, one can already ask what it would do.
    if (data.dryRun) return this.importing.preview(owner, storedKey(config, data), data);
    return this.importing.execute(addressSession(config, owner, data), data);
  }

  /** A session of the caller. */
  #own({ tenant, principal }: RpcContext, data: { sessionKey: string }, scope: string): { owner: Owner; sessionKey: string } {
    requireScope(principal, scope);
    return { owner: ownerOf(tenant, principal), sessionKey: storedKey(this.settings.configOf(tenant), data) };
  }
}

function shown({ grantee, access, grantedBy, grantedAt }: SessionGrant): contracts.SessionGrant {
  return { grantee, access, grantedBy, grantedAt: grantedAt.toISOString() };
}
