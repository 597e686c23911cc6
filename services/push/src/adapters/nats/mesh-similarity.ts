import type { Bus } from '@plexus/bus';
import { memorySimilarityContracts, type Principal } from '@plexus/contracts';
import type { Similarity } from '../../application/triggers/match-meaning.js';

/** How alike texts are, asked of memory. */
export class MeshSimilarity implements Similarity {
  constructor(
    private readonly bus: Pick<Bus, 'call'>,
    private readonly service: (tenant: string) => Principal,
  ) {}

  compare(
    tenant: string,
    text: string,
    others: readonly { readonly id: string; readonly text: string }[],
    signal: AbortSignal,
  ): Promise<{ readonly available: boolean; readonly scores: readonly { readonly id: string; readonly score: number }[] }> {
    return this.bus.call(memorySimilarityContracts.similarity, tenant, { text, others: [...others] }, { principal: this.service(tenant), signal });
  }
}
