import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, pushManageContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import { EVERYBODY } from '../../application/managing/log-change.js';
import { ManagePreferences, type WishesAnswer } from '../../application/managing/manage-preferences.js';
import type { Owner } from '../../application/ports.js';
import type { Wishes } from '../../domain/managing/preferences.js';
import { administratorOf, ownerOf } from './caller.js';

const { getPreferences, setPreferences, setQuietHours } = pushManageContracts;

/** Preferences and quiet hours: one's own, and with operator.admin the defaults of the tenant. */
@Controller()
export class PreferencesController {
  constructor(private readonly preferences: ManagePreferences) {}

  @Rpc(getPreferences)
  async get(@Ctx() context: RpcContext): Promise<ReplyOf<typeof getPreferences>> {
    const { tenant, user } = ownerOf(context, SCOPES.read);
    const said = await this.preferences.read(tenant, user);
    return { own: toContract(said.own), tenant: toContract(said.tenant) };
  }

  @Rpc(setPreferences)
  async set(
    @Payload() { for: whose, baseVersion, ...change }: DataOf<typeof setPreferences>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof setPreferences>> {
    const { tenant, user } = whoseOf(context, whose);
    return answerOf(await this.preferences.setPreferences(tenant, user, change, baseVersion));
  }

  @Rpc(setQuietHours)
  async setHours(
    @Payload() { for: whose, baseVersion, quietHours }: DataOf<typeof setQuietHours>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof setQuietHours>> {
    const { tenant, user } = whoseOf(context, whose);
    return answerOf(await this.preferences.setQuietHours(tenant, user, quietHours ?? undefined, baseVersion));
  }
}

/** Whose word a call changes: the caller's own, or everybody's with operator.admin. */
export function whoseOf(context: RpcContext, whose: 'me' | 'tenant'): Owner {
  return whose === 'me' ? ownerOf(context, SCOPES.write) : { tenant: administratorOf(context).tenant, user: EVERYBODY };
}

function answerOf({ preferences, changed }: WishesAnswer): ReplyOf<typeof setPreferences> {
  return { preferences: toContract(preferences), changed };
}

function toContract({ preferences, quietHours, ...rest }: Wishes): pushManageContracts.Preferences {
  return { ...rest, preferences: preferences.map((one) => ({ ...one })), ...(quietHours === undefined ? {} : { quietHours: { ...quietHours } }) };
}
