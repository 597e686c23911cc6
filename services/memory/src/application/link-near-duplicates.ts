import type { Clock } from '@plexus/kernel';
import { agreeInFacts, LEAST_COSINE, LEAST_JACCARD } from '../domain/near-duplicates.js';
import type { EmbeddingModels } from './embedding-models.js';
import type { Link, LinkStore, Uncompared } from './lexicon-ports.js';
import type { MemoryRetention } from './ports.js';

const BATCH = 64;
const TERMS = 'terms';

/**
 * Links memories of one place that say nearly the same, in the background: vectors of a model that knows meanings, or nearly all terms in
 * common, and in any case the same numbers and negations. Nothing is ever deleted for it.
 */
export class LinkNearDuplicates {
  constructor(
    private readonly store: LinkStore,
    private readonly models: Pick<EmbeddingModels, 'active'>,
    private readonly retention: Pick<MemoryRetention, 'tenants'>,
    private readonly clock: Clock,
    private readonly pauseMs = 20,
  ) {}

  /** One round over all tenants; returns how many memories were compared. */
  async execute(signal: AbortSignal): Promise<number> {
    const serving = await this.models.active();
    // Spellings say nothing that the terms do not say better.
    const record = typeof serving === 'object' && serving.record.model.kind === 'semantic' ? serving.record : undefined;
    const model = record && { id: record.model.id, table: record.table };
    let compared = 0;
    for (const tenant of await this.retention.tenants()) {
      for (let after = ''; !signal.aborted; ) {
        const batch = await this.store.uncompared(tenant, model, after, BATCH);
        for (const one of batch) {
          if (signal.aborted) return compared;
          await this.#compare(tenant, one, model);
          compared += 1;
        }
        after = batch.at(-1)?.id ?? after;
        if (batch.length < BATCH) break;
        await this.clock.sleep(this.pauseMs, signal).catch(() => undefined); // aborted: the loop's condition ends it
      }
    }
    return compared;
  }

  async #compare(tenant: string, one: Uncompared, model: { readonly id: string; readonly table: string } | undefined): Promise<void> {
    const near = model !== undefined && one.hasVector ? await this.store.likeByVectors(tenant, one, model.table, LEAST_COSINE) : [];
    const alike = await this.store.likeByTerms(tenant, one, LEAST_JACCARD);
    const links = new Map<string, Link>();
    for (const { id, content, similarity, by } of [...alike, ...near]) if (agreeInFacts(one.content, content)) links.set(id, { id, similarity, by });
    const comparedWith = model !== undefined && one.hasVector ? model.id : TERMS;
    await this.store.link(tenant, one.id, [...links.values()], comparedWith, new Date(this.clock.now()));
  }
}
