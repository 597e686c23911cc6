import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushManageContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { invalid } from '../../application/managing/invalid.js';
import { type ContactDraft, ManageContacts, type StoredContact } from '../../application/managing/manage-contacts.js';
import { ownerOf } from './caller.js';

const { addContact, sendContactCode, verifyContact, listContacts, removeContact } = pushManageContracts;

/** What browsers of a tenant subscribe with; undefined: it has no Web Push. */
export class WebPushKeys {
  constructor(readonly of: (tenant: string) => string | undefined) {}
}

/** Addresses outside the inbox: always the caller's own. */
@Controller()
export class ContactsController {
  constructor(
    private readonly contacts: ManageContacts,
    private readonly keys: WebPushKeys,
  ) {}

  @Rpc(addContact)
  async add(@Payload() data: DataOf<typeof addContact>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof addContact>> {
    const { contact, created, codeSent } = await this.contacts.add(ownerOf(context, SCOPES.write), draftFrom(data));
    return { contact: toContract(contact), created, codeSent };
  }

  @Rpc(sendContactCode)
  async sendCode(@Payload() { id }: DataOf<typeof sendContactCode>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof sendContactCode>> {
    const { codeSent, expiresAt } = await this.contacts.sendCode(ownerOf(context, SCOPES.write), id);
    return { codeSent, ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }) };
  }

  @Rpc(verifyContact)
  async verify(@Payload() { id, code }: DataOf<typeof verifyContact>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof verifyContact>> {
    return { contact: toContract(await this.contacts.verify(ownerOf(context, SCOPES.write), id, code)) };
  }

  @Rpc(listContacts)
  async list(@Payload() { channel }: DataOf<typeof listContacts>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof listContacts>> {
    const owner = ownerOf(context, SCOPES.read);
    const webPushKey = this.keys.of(owner.tenant);
    return { contacts: (await this.contacts.list(owner, channel)).map(toContract), ...(webPushKey === undefined ? {} : { webPushKey }) };
  }

  @Rpc(removeContact)
  async remove(@Payload() { id }: DataOf<typeof removeContact>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof removeContact>> {
    return { removed: await this.contacts.remove(ownerOf(context, SCOPES.write), id) };
  }
}

function draftFrom({ channel, address, subscription, label }: DataOf<typeof addContact>): ContactDraft {
  const named = label === undefined ? {} : { label };
  if (channel === 'webpush') {
    if (subscription === undefined || address !== undefined)
      throw invalid({ path: 'subscription', message: 'webpush takes the subscription of a browser, and no address' });
    return { channel, address: subscription.endpoint, details: { keys: subscription.keys }, ...named };
  }
  if (address === undefined || subscription !== undefined) throw invalid({ path: 'address', message: `${channel} takes an address, and no subscription` });
  return { channel, address, details: {}, ...named };
}

/** Keys of browsers and codes stay inside. */
function toContract({ id, channel, address, label, createdAt, verifiedAt, disabledReason }: StoredContact): pushManageContracts.Contact {
  return {
    id,
    channel,
    address,
    ...(label === '' ? {} : { label }),
    verified: verifiedAt !== undefined,
    ...(verifiedAt === undefined ? {} : { verifiedAt: new Date(verifiedAt).toISOString() }),
    createdAt: new Date(createdAt).toISOString(),
    ...(disabledReason === undefined ? {} : { disabledReason }),
  };
}
