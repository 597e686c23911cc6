import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, errors, pushPolicyContracts as contracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import { ExplainEvent } from '../../application/policies/explain-event.js';
import { Opinions } from '../../application/policies/opinions.js';
import { administratorOf, isAdministrator, ownerOf } from './caller.js';

const { explain, feedback, pushStats } = contracts;

/** What was decided and why, and what people say of it: of themselves everybody, of others operators. */
@Controller()
export class ExplainController {
  constructor(
    private readonly explaining: ExplainEvent,
    private readonly opinions: Opinions,
  ) {}

  @Rpc(explain)
  async explain(@Payload() { event, user, near }: DataOf<typeof explain>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof explain>> {
    const { id, source, origin } = event;
    return this.explaining.execute({
      tenant: context.tenant,
      user: subjectOf(context, user),
      event: { id, ...(source === undefined ? {} : { source }), ...(origin === undefined ? {} : { origin }) },
      ...(near === undefined ? {} : { near: Date.parse(near) }),
      privileged: isAdministrator(context),
    });
  }

  @Rpc(feedback)
  async feedback(@Payload() opinion: DataOf<typeof feedback>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof feedback>> {
    return { recorded: true, suggestions: await this.opinions.give(ownerOf(context, SCOPES.read), opinion) };
  }

  @Rpc(pushStats)
  async stats(@Payload() { user, everybody, ...span }: DataOf<typeof pushStats>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof pushStats>> {
    if (!everybody) return this.opinions.stats(context.tenant, subjectOf(context, user), span);
    if (user !== undefined) throw errors.create('INVALID_REQUEST', { message: 'Either one user or everybody.' });
    const { tenant } = administratorOf(context);
    return this.opinions.stats(tenant, undefined, span);
  }
}

/** The user that is asked about: the caller with operator.read, somebody else with operator.admin. */
function subjectOf(context: RpcContext, user: string | undefined): string {
  if (user === undefined || user === context.principal.user) return ownerOf(context, SCOPES.read).user;
  administratorOf(context);
  if (!isStorableText(user)) throw errors.create('INVALID_REQUEST', { message: 'The user id must be well-formed Unicode without U+0000.' });
  return user;
}
