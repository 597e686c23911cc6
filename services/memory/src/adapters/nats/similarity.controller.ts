import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { RpcContext } from '@plexus/bus';
import { Rpc } from '@plexus/bus/nest';
import { type DataOf, errors, memorySimilarityContracts, type ReplyOf } from '@plexus/contracts';
import { CompareTexts } from '../../application/compare-texts.js';

const { similarity } = memorySimilarityContracts;

@Controller()
export class SimilarityController {
  constructor(private readonly texts: CompareTexts) {}

  @Rpc(similarity)
  async compare(@Payload() { text, others }: DataOf<typeof similarity>, @Ctx() { tenant, principal, signal }: RpcContext): Promise<ReplyOf<typeof similarity>> {
    if (principal.role !== 'service') throw errors.create('FORBIDDEN', { message: 'Only services of the mesh may ask this.' });
    const compared = await this.texts.execute(tenant, text, others, signal);
    return compared.available ? compared : { available: false, scores: [] };
  }
}
