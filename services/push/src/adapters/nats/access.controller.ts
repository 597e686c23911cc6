import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, errors, pushManageContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { type AccessAnswer, ManageAccess, type StoredAccess } from '../../application/managing/manage-access.js';
import { administratorOf, isAdministrator, nameOf, ownerOf } from './caller.js';
import { pageOf, readCursor } from './page-cursor.js';

const { grantAccess, revokeAccess, restrictScope, listAccess } = pushManageContracts;

/** Who may see a case or topic. Changes need operator.admin or a service; everybody may look up what concerns himself. */
@Controller()
export class AccessController {
  constructor(private readonly access: ManageAccess) {}

  @Rpc(grantAccess)
  async grant(@Payload() { user, until, ...scope }: DataOf<typeof grantAccess>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof grantAccess>> {
    const { tenant, name } = administratorOf(context);
    const word = { granted: true, ...(until === undefined ? {} : { until: Date.parse(until) }) };
    return answerOf(await this.access.say(tenant, scope, user, word, name));
  }

  @Rpc(revokeAccess)
  async revoke(@Payload() { user, ...scope }: DataOf<typeof revokeAccess>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof revokeAccess>> {
    const { tenant, name } = administratorOf(context);
    return answerOf(await this.access.say(tenant, scope, user, { granted: false }, name));
  }

  @Rpc(restrictScope)
  async restrict(@Payload() { restricted, ...scope }: DataOf<typeof restrictScope>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof restrictScope>> {
    const { tenant, name } = administratorOf(context);
    return this.access.restrict(tenant, scope, restricted, name);
  }

  @Rpc(listAccess)
  async list(
    @Payload() { limit, cursor, user, scopeKind, scopeRef }: DataOf<typeof listAccess>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof listAccess>> {
    const whose = isAdministrator(context) ? user : ownUser(context, user);
    const [kind, ref, last] = readCursor(cursor, ['string', 'string', 'string']) ?? [];
    const { grants, restricted } = await this.access.list(context.tenant, {
      limit: limit + 1,
      ...(whose === undefined ? {} : { user: whose }),
      ...(scopeKind === undefined ? {} : { scopeKind }),
      ...(scopeRef === undefined ? {} : { scopeRef }),
      ...(kind === undefined ? {} : { after: { scopeKind: kind as string, scopeRef: ref as string, user: last as string } }),
    });
    const { items, ...next } = pageOf(grants, limit, (one) => [one.scopeKind, one.scopeRef, one.user]);
    const shown = new Set(items.map((one) => `${one.scopeKind}:${one.scopeRef}`));
    return { grants: items.map(toContract), restricted: restricted.filter((one) => shown.has(`${one.scopeKind}:${one.scopeRef}`)), ...next };
  }
}

function ownUser(context: RpcContext, asked: string | undefined): string {
  const { user } = ownerOf(context, SCOPES.read);
  if (asked !== undefined && asked !== user)
    throw errors.create('MISSING_SCOPE', {
      message: `What others may see is told to ${nameOf(context)} only with operator.admin.`,
      details: { scope: SCOPES.admin },
    });
  return user;
}

function answerOf({ grant, ...rest }: AccessAnswer): ReplyOf<typeof grantAccess> {
  return { grant: toContract(grant), ...rest };
}

function toContract({ user, scopeKind, scopeRef, granted, until, at, by }: StoredAccess): pushManageContracts.AccessGrant {
  const end = until === undefined ? {} : { until: new Date(until).toISOString() };
  return { user, scopeKind, scopeRef, granted, ...end, saidAt: new Date(at).toISOString(), saidBy: by };
}
