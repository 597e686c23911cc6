import type { Clock } from '@plexus/kernel';
import { chunksOf } from '../domain/embedding/chunks.js';
import type { Embedded, Embedding } from './embedding.js';
import { macOf } from './macs.js';
import type { EmbeddingInput, EmbeddingJob, EmbeddingStore, ModelRecord, TenantKeys } from './ports.js';

export type EmbedOutcome =
  | { readonly kind: 'stored' }
  /** Nothing to do any more: deleted, updated meanwhile, or there already. */
  | { readonly kind: 'obsolete' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Makes the vectors of memories with one model. */
export class EmbedMemories {
  constructor(
    private readonly store: EmbeddingStore,
    private readonly keys: TenantKeys,
    private readonly clock: Clock,
  ) {}

  /**
   * One outcome per job. Rejects with EmbedderUnavailable when the endpoint fails: none of the jobs is lost, and what was made is cached, so
   * that a repetition pays for nothing twice.
   */
  async execute(jobs: readonly EmbeddingJob[], { table }: Pick<ModelRecord, 'table'>, embedding: Embedding, signal: AbortSignal): Promise<EmbedOutcome[]> {
    const inputs = await Promise.all(jobs.map((job) => this.store.input(job, table)));
    const pieces = inputs.flatMap((input, job) => (input === undefined ? [] : chunksOf(input.content).map((text) => ({ job, tenant: input.tenant, text }))));
    const embedded = await this.#embed(pieces, embedding, signal);
    return Promise.all(
      inputs.map(async (input, job): Promise<EmbedOutcome> => {
        if (input === undefined) return { kind: 'obsolete' };
        return this.#keep(
          input,
          table,
          embedding,
          embedded.filter((_, index) => pieces[index]?.job === job),
        );
      }),
    );
  }

  async #keep(input: EmbeddingInput, table: string, { model }: Embedding, pieces: readonly Embedded[]): Promise<EmbedOutcome> {
    const refused = pieces.find((piece) => 'refused' in piece);
    if (refused !== undefined && 'refused' in refused) {
      await this.store.fail(input, model.id, refused.refused, 1, new Date(this.clock.now()));
      return { kind: 'refused', reason: refused.refused };
    }
    const vectors = pieces.map((piece) => (piece as { vector: Float32Array }).vector);
    return { kind: (await this.store.store(input, table, vectors)) ? 'stored' : 'obsolete' };
  }

  /** From the tenant's own cache where it was made before. */
  async #embed(pieces: readonly { readonly tenant: string; readonly text: string }[], embedding: Embedding, signal: AbortSignal): Promise<Embedded[]> {
    const now = new Date(this.clock.now());
    const macs = await Promise.all(pieces.map(async ({ tenant, text }) => macOf(await this.keys.macKey(tenant), text)));
    const results = new Array<Embedded | undefined>(pieces.length);
    for (const [tenant, indexes] of byTenant(pieces)) {
      const found = await this.store.cached(
        tenant,
        embedding.model.id,
        indexes.map((index) => macs[index] as Uint8Array),
        now,
      );
      for (const [position, vector] of found.entries()) if (vector !== undefined) results[indexes[position] as number] = { vector };
    }
    const open = pieces.flatMap((_, index) => (results[index] === undefined ? [index] : []));
    const made: { readonly tenant: string; readonly mac: Uint8Array; readonly vector: Float32Array }[] = [];
    try {
      const texts = open.map((index) => (pieces[index] as { text: string }).text);
      const answers = await embedding.ofDocuments(texts, signal, (position, vector) => {
        const index = open[position] as number;
        made.push({ tenant: (pieces[index] as { tenant: string }).tenant, mac: macs[index] as Uint8Array, vector });
      });
      for (const [position, answer] of answers.entries()) results[open[position] as number] = answer;
    } finally {
      for (const [tenant, indexes] of byTenant(made)) {
        const entries = indexes.map((index) => made[index] as (typeof made)[number]);
        await this.store.cache(tenant, embedding.model.id, entries, now);
      }
    }
    return results as Embedded[];
  }
}

function byTenant(list: readonly { readonly tenant: string }[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const [index, { tenant }] of list.entries()) groups.set(tenant, [...(groups.get(tenant) ?? []), index]);
  return groups;
}
