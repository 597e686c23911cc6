import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, type ReplyOf, routingContracts as contracts, SCOPES } from '@plexus/contracts';
import { KeepAttachments } from '../../application/keep-attachments.js';
import { SessionAccess } from '../../application/session-access.js';
import { ownerOf, requireScope } from '../../domain/caller.js';
import { storedKey } from '../../domain/session-address.js';
import { requireStorable } from '../../domain/text-limits.js';
import { RoutingSettings } from './routing-settings.js';

/** Files of messages: in by their uploader, out to whoever may read the session. */
@Controller()
export class AttachmentsController {
  constructor(
    private readonly settings: RoutingSettings,
    private readonly access: SessionAccess,
    private readonly attachments: KeepAttachments,
  ) {}

  @Rpc(contracts.storeAttachment)
  async onStore(@Payload() input: DataOf<typeof contracts.storeAttachment>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.storeAttachment>> {
    requireScope(context.principal, SCOPES.write);
    const { part, data, ...attachment } = input;
    for (const field of ['name', 'mimeType'] as const) requireStorable(attachment[field], field);
    const stored = await this.attachments.put(ownerOf(context.tenant, context.principal), attachment, part, Buffer.from(data, 'base64'));
    return { attachmentId: attachment.attachmentId, stored };
  }

  @Rpc(contracts.readAttachment)
  async onRead(@Payload() data: DataOf<typeof contracts.readAttachment>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.readAttachment>> {
    requireScope(context.principal, SCOPES.read);
    const { tenant, principal } = context;
    const snapshot = this.settings.snapshotOf(tenant);
    const sessionKey = storedKey(snapshot.config, data);
    const owner = await this.access.ownerFor(snapshot, tenant, principal, { ...data, sessionKey }, 'read');
    const { data: bytes, ...found } = await this.attachments.read(owner, sessionKey, data.attachmentId, data.part);
    return { ...found, data: Buffer.from(bytes).toString('base64') };
  }
}
