import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, errors, pushManageContracts, type ReplyOf, SCOPES } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { EVERYBODY } from '../../application/managing/log-change.js';
import { ManageSilences, type Silencer } from '../../application/managing/manage-silences.js';
import { silenceState, type StoredSilence } from '../../domain/managing/silence.js';
import { administratorOf, nameOf, ownerOf, readerOf } from './caller.js';
import { pageOf, readCursor } from './page-cursor.js';
import { whoseOf } from './preferences.controller.js';

const { createSilence, updateSilence, listSilences, expireSilence, removeSilence } = pushManageContracts;

const milliseconds = (field: 'from' | 'to', instant: string | undefined) => (instant === undefined ? {} : { [field]: Date.parse(instant) });

/** The clock by which silences are shown. */
export abstract class SilenceClock implements Pick<Clock, 'now'> {
  abstract now(): number;
}

/** Silences: one's own, and with operator.admin those of the tenant, which everybody may read. */
@Controller()
export class SilencesController {
  constructor(
    private readonly silences: ManageSilences,
    private readonly clock: SilenceClock,
  ) {}

  @Rpc(createSilence)
  async create(
    @Payload() { for: whose, from, to, seconds, idempotencyKey, ...draft }: DataOf<typeof createSilence>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof createSilence>> {
    const silencer = { ...whoseOf(context, whose), name: nameOf(context) };
    const { silence, created } = await this.silences.create(silencer, {
      ...draft,
      ...milliseconds('from', from),
      ...milliseconds('to', to),
      ...(seconds === undefined ? {} : { seconds }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    return { silence: this.toContract(silence), created };
  }

  @Rpc(listSilences)
  async list(
    @Payload() { for: whose, expired, limit, cursor }: DataOf<typeof listSilences>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof listSilences>> {
    const { tenant, user } = whose === 'me' ? ownerOf(context, SCOPES.read) : { ...readerOf(context), user: EVERYBODY };
    const read = readCursor(cursor, ['number', 'string']);
    const after = read === undefined ? {} : { after: { to: read[0] as number, id: read[1] as string } };
    const found = await this.silences.list(tenant, user, { expired, limit: limit + 1, ...after });
    const { items, ...next } = pageOf(found, limit, ({ to, id }) => [to, id]);
    return { silences: items.map((one) => this.toContract(one)), ...next };
  }

  @Rpc(updateSilence)
  async update(@Payload() { id, baseVersion, to, ...patch }: DataOf<typeof updateSilence>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof updateSilence>> {
    const silencer = await this.silencerOf(context, id);
    const { silence, changed } = await this.silences.update(silencer, id, { ...patch, ...milliseconds('to', to) }, baseVersion);
    return { silence: this.toContract(silence), changed };
  }

  @Rpc(expireSilence)
  async expire(@Payload() { id }: DataOf<typeof expireSilence>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof expireSilence>> {
    const { silence, changed } = await this.silences.expire(await this.silencerOf(context, id), id);
    return { silence: this.toContract(silence), changed };
  }

  @Rpc(removeSilence)
  async remove(@Payload() { id }: DataOf<typeof removeSilence>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof removeSilence>> {
    return { removed: await this.silences.remove(await this.silencerOf(context, id), id) };
  }

  /** One of the tenant needs operator.admin; one of somebody else is not there. */
  private async silencerOf(context: RpcContext, id: string): Promise<Silencer> {
    const found = await this.silences.find(context.tenant, id);
    if (found?.user === EVERYBODY) return { ...administratorOf(context), user: EVERYBODY };
    const owner = ownerOf(context, SCOPES.write);
    if (found !== undefined && found.user !== owner.user) throw errors.create('NOT_FOUND');
    return { ...owner, name: nameOf(context) };
  }

  private toContract({ user, from, to, createdAt, matchers, endedAt, ...rest }: StoredSilence): pushManageContracts.Silence {
    const instant = (at: number) => new Date(at).toISOString();
    const state = silenceState({ from, to, ...(endedAt === undefined ? {} : { endedAt }) }, this.clock.now());
    const whose = user === EVERYBODY ? ('tenant' as const) : ('me' as const);
    return { ...rest, for: whose, from: instant(from), to: instant(to), createdAt: instant(createdAt), matchers: matchers.map((one) => ({ ...one })), state };
  }
}
