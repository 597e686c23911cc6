import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { type Bus, drop, listParked, type ParkedDetail, type ParkedMessage, redrive, type RpcContext, showParked } from '@plexus/bus';
import { InjectBus, Rpc } from '@plexus/bus/nest';
import { type DataOf, plexusError, type ReplyOf, routingContracts as contracts, SCOPES } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { requireScope } from '../../domain/caller.js';

const DEFAULT_LIMIT = 100;
const SHOWN_BYTES = 256 * 1024;

type Letter = ReplyOf<typeof contracts.listDeadLetters>['letters'][number];
type Outcome = ReplyOf<typeof contracts.redriveDeadLetters>['outcomes'][number];

/**
 * Dead letters of one tenant, for its administrators: whatever service gave up on them. The tenant is that of the subject under which a
 * letter was parked; those of another tenant do not exist here.
 */
@Controller()
export class DeadLettersController {
  constructor(@InjectBus() private readonly bus: Bus) {}

  @Rpc(contracts.listDeadLetters)
  async onList(@Payload() data: DataOf<typeof contracts.listDeadLetters>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.listDeadLetters>> {
    requireScope(context.principal, SCOPES.admin);
    const { limit = DEFAULT_LIMIT, after, consumer } = data;
    const selection = { tenant: context.tenant, limit, ...(after !== undefined && { after }), ...(consumer !== undefined && { consumer }) };
    const parked = await listParked(this.bus, selection);
    const last = parked.at(-1);
    return { letters: parked.map(toLetter), ...(parked.length === limit && last !== undefined && { next: last.seq }) };
  }

  @Rpc(contracts.getDeadLetter)
  async onGet(@Payload() { seq }: DataOf<typeof contracts.getDeadLetter>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.getDeadLetter>> {
    requireScope(context.principal, SCOPES.admin);
    const parked = await this.ofTenant(context.tenant, seq);
    const truncated = parked.body.length > SHOWN_BYTES;
    const body = Buffer.from(parked.body.subarray(0, SHOWN_BYTES));
    const text = textOf(body, truncated);
    return { letter: toLetter(parked), truncated, ...(text === undefined ? { base64: body.toString('base64') } : { text }) };
  }

  @Rpc(contracts.redriveDeadLetters)
  onRedrive(
    @Payload() { seqs }: DataOf<typeof contracts.redriveDeadLetters>,
    @Ctx() context: RpcContext,
  ): Promise<ReplyOf<typeof contracts.redriveDeadLetters>> {
    return this.each(seqs, context, async (seq) => {
      const { stream, seq: streamSeq } = await redrive(this.bus, seq);
      return { seq, ok: true, stream, streamSeq };
    });
  }

  @Rpc(contracts.dropDeadLetters)
  onDrop(@Payload() { seqs }: DataOf<typeof contracts.dropDeadLetters>, @Ctx() context: RpcContext): Promise<ReplyOf<typeof contracts.dropDeadLetters>> {
    return this.each(seqs, context, async (seq) => ({ seq, ok: await drop(this.bus, seq) }));
  }

  /** One after the other, in the order asked for: what is sent again arrives in that order. */
  private async each(seqs: readonly number[], { principal, tenant }: RpcContext, act: (seq: number) => Promise<Outcome>): Promise<{ outcomes: Outcome[] }> {
    requireScope(principal, SCOPES.admin);
    const outcomes: Outcome[] = [];
    for (const seq of new Set(seqs)) {
      try {
        await this.ofTenant(tenant, seq);
        outcomes.push(await act(seq));
      } catch (error) {
        if (!PlexusError.isPlexusError(error)) throw error;
        outcomes.push({ seq, ok: false, code: error.code, message: error.message });
      }
    }
    return { outcomes };
  }

  private async ofTenant(tenant: string, seq: number): Promise<ParkedDetail> {
    const parked = await showParked(this.bus, seq);
    if (parked === undefined || parked.tenant !== tenant) throw plexusError('NOT_FOUND', { message: 'There is no such dead letter.', details: { seq } });
    return parked;
  }
}

function toLetter({ seq, consumer, code, reason, attempts, originSubject, originStream, originSeq, parkedAt, bytes }: ParkedMessage): Letter {
  return {
    ...{ seq, consumer, code, reason, originSubject, originStream, parkedAt, bytes },
    attempts: Number.isInteger(attempts) ? attempts : 0,
    originSeq: Number.isInteger(originSeq) ? originSeq : 0,
  };
}

/** Undefined when it is not UTF-8. Where it was cut, half a character at the end is left out. */
function textOf(body: Buffer, cut: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body, { stream: cut });
  } catch {
    return undefined; // Bytes: shown as base 64.
  }
}
