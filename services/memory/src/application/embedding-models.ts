import type { Clock } from '@plexus/kernel';
import { cosine, type Embedder, type EmbeddingModel } from '../domain/embedding/model.js';
import type { Embedding } from './embedding.js';
import type { EmbeddingStore, MemoryRetention, ModelRecord, ModelRegistry, VectorScan, VectorSupport } from './ports.js';

/** A model that was replaced can be taken back for so long. */
const RETIRED_MS = 7 * 24 * 60 * 60_000;
/** Vectors of so many memories make a floor. */
const CALIBRATION_SAMPLE = 400;
const CALIBRATION_PAIRS = 1_000;
const CALIBRATION_LEAST = 50;
const CALIBRATION_PERCENTILE = 0.95;
/** Until there are enough memories to measure: what common models give unrelated sentences at most. */
export const UNCALIBRATED_FLOOR = 0.3;
/** A model under the same name that gives other vectors (a tag that was pulled anew) must not be mixed in. */
const CANARY_TEXTS = [
  'plexus',
  'The quick brown fox.',
  '数据库备份失败',
  '42',
  'https://example.org/a?b=c',
  'ERROR: connection refused',
  '早上好',
  'naïve café',
];
const CANARY_COSINE = 0.999;
/** Memories of one scope up to which a search reads every vector; beyond it an index pays. */
export const EXACT_UP_TO = 10_000;

/** An index that finds fewer of the ten nearest is not asked. */
export const LEAST_INDEX_RECALL = 0.95;
const RECALL_MEASURED_EVERY_MS = 24 * 60 * 60_000;

/** One model and what makes its vectors. */
export interface ServingModel {
  readonly record: ModelRecord;
  readonly embedding: Embedding;
}

export type ModelProblem = 'none_configured' | 'vector_extension_missing' | 'canary_differs' | 'not_served';

/** Vectors of hashed spellings have no neighbourhoods that a graph could follow: of 100,000 an index found 4 of the 10 nearest. */
function mayBeIndexed({ kind }: EmbeddingModel): boolean {
  return kind === 'semantic';
}

/** How so many visible memories of a tenant are compared: by the index only where it was measured that it finds what is nearest. */
export function scanOf({ model, indexed, recalls }: ModelRecord, tenant: string, visible: number): VectorScan {
  const recall = recalls.get(tenant)?.recall ?? 0;
  return indexed && visible > EXACT_UP_TO && mayBeIndexed(model) && recall >= LEAST_INDEX_RECALL ? 'hnsw' : 'exact';
}

/**
 * Which model answers and which is being built. The configured one becomes active at once where there was none; a different one is built beside
 * it, and the change-over happens in one transaction when it is complete.
 */
export class EmbeddingModels {
  #canaryChecked = new Set<string>();
  #canaryDiffers = new Set<string>();

  constructor(
    private readonly registry: ModelRegistry,
    private readonly store: EmbeddingStore,
    private readonly retention: Pick<MemoryRetention, 'tenants'>,
    private readonly support: VectorSupport,
    /** The configured model; undefined: none. */
    private readonly configured: Embedder | undefined,
    /** Serves a model that is not the configured one, as long as that is possible. */
    private readonly serve: (model: EmbeddingModel) => Embedding | undefined,
    private readonly clock: Clock,
  ) {}

  /** Models whose vectors a write must get. */
  async wanted(): Promise<readonly ModelRecord[]> {
    if (this.configured === undefined || !(await this.support.vectorExtension())) return [];
    return (await this.registry.models()).filter(({ state }) => state !== 'retired');
  }

  /** The model that searches use, or why there is none. */
  async active(): Promise<ServingModel | ModelProblem> {
    if (!(await this.support.vectorExtension())) return 'vector_extension_missing';
    if (this.configured === undefined) return 'none_configured';
    const record = (await this.registry.models()).find(({ state }) => state === 'active');
    if (record === undefined) return 'none_configured';
    return this.serving(record);
  }

  serving(record: ModelRecord): ServingModel | ModelProblem {
    if (this.#canaryDiffers.has(record.model.id)) return 'canary_differs';
    const embedding = this.serve(record.model);
    return embedding === undefined ? 'not_served' : { record, embedding };
  }

  async byId(id: string): Promise<ServingModel | undefined> {
    const record = (await this.registry.models()).find(({ model, state }) => model.id === id && state !== 'retired');
    const serving = record && this.serving(record);
    return typeof serving === 'object' ? serving : undefined;
  }

  /** Share of living memories of all tenants that the model being built has; undefined when none is. */
  async building(): Promise<{ readonly model: EmbeddingModel; readonly share: number } | undefined> {
    const record = (await this.registry.models()).find(({ state }) => state === 'building');
    if (record === undefined) return undefined;
    const { pending, all } = await this.#progress(record);
    return { model: record.model, share: all === 0 ? 1 : (all - pending) / all };
  }

  /** Makes room for the configured model: writes ask for its vectors from now on. */
  async register(): Promise<void> {
    if (this.configured === undefined || !(await this.support.vectorExtension())) return;
    const now = new Date(this.clock.now());
    const wanted = this.configured.model;
    const models = await this.registry.models(true);
    const active = models.find(({ state }) => state === 'active');
    const building = models.find(({ state }) => state === 'building');
    if (active === undefined) return this.registry.register(wanted, 'active', now);
    if (building !== undefined && building.model.id !== wanted.id) await this.registry.abandon(building.model.id);
    if (active.model.id !== wanted.id && building?.model.id !== wanted.id) await this.registry.register(wanted, 'building', now);
  }

  /** One round: registers what is configured, checks canaries, calibrates, switches when complete, drops what was replaced long ago. */
  async maintain(signal: AbortSignal): Promise<void> {
    if (this.configured === undefined || !(await this.support.vectorExtension())) return;
    await this.register();
    const now = new Date(this.clock.now());
    for (const record of await this.registry.models(true)) {
      if (record.state !== 'retired' && !signal.aborted) await this.#look(record, now, signal);
    }
    await this.registry.dropRetired(new Date(now.getTime() - RETIRED_MS));
  }

  async #look(record: ModelRecord, now: Date, signal: AbortSignal): Promise<void> {
    await this.#checkCanary(record, signal);
    if (record.floor === undefined) await this.#calibrate(record, record.state === 'building');
    await this.#keepIndex(record, now);
    if (record.state !== 'building') return;
    const { pending } = await this.#progress(record);
    if (pending === 0) await this.registry.activate(record.model.id, now);
  }

  /** Reading every vector is right, and fast enough, up to ten thousand memories. What the index misses is measured per tenant, once a day. */
  async #keepIndex({ model, indexed, recalls }: ModelRecord, now: Date): Promise<void> {
    if (this.support.backend === 'pglite') return;
    if (!mayBeIndexed(model)) return indexed ? this.registry.dropIndex(model.id) : undefined;
    const large: string[] = [];
    for (const tenant of await this.retention.tenants()) if ((await this.store.count(tenant)) > EXACT_UP_TO) large.push(tenant);
    if (!indexed && large.length > 0) await this.registry.buildIndex(model.id);
    for (const tenant of large) {
      const measured = recalls.get(tenant);
      const due = measured === undefined || now.getTime() - measured.measuredAt.getTime() >= RECALL_MEASURED_EVERY_MS;
      if (!indexed || due) await this.registry.measureIndex(model.id, tenant, now);
    }
  }

  async #progress({ table, model }: ModelRecord): Promise<{ readonly pending: number; readonly all: number }> {
    let pending = 0;
    let all = 0;
    for (const tenant of await this.retention.tenants()) {
      pending += (await this.store.pending(tenant, table, model.id)).pending;
      all += await this.store.count(tenant);
    }
    return { pending, all };
  }

  /** The cosine that 95 of 100 random pairs of one tenant's memories stay below; measured once, then fixed. */
  async #calibrate({ model, table }: ModelRecord, complete: boolean): Promise<void> {
    const cosines: number[] = [];
    for (const tenant of await this.retention.tenants()) {
      const vectors = await this.store.sample(tenant, table, CALIBRATION_SAMPLE);
      for (let step = 1; step < vectors.length && cosines.length < CALIBRATION_PAIRS; step += 1) {
        for (let at = 0; at + step < vectors.length && cosines.length < CALIBRATION_PAIRS; at += step + 1) {
          cosines.push(cosine(vectors[at] as Float32Array, vectors[at + step] as Float32Array));
        }
      }
    }
    if (cosines.length < CALIBRATION_LEAST && !(complete && cosines.length > 0)) return;
    cosines.sort((a, b) => a - b);
    const floor = cosines[Math.min(cosines.length - 1, Math.floor(cosines.length * CALIBRATION_PERCENTILE))] as number;
    await this.registry.calibrate(model.id, Math.min(0.9, Math.max(0, floor)));
  }

  async #checkCanary(record: ModelRecord, signal: AbortSignal): Promise<void> {
    const { model, canary } = record;
    if (model.kind === 'lexical-hash' || this.#canaryChecked.has(model.id)) return;
    const embedding = this.serve(model);
    if (embedding === undefined) return;
    const answers = await embedding.ofDocuments(CANARY_TEXTS, signal);
    const vectors = answers.map((answer) => ('vector' in answer ? answer.vector : undefined));
    if (vectors.some((vector) => vector === undefined)) return;
    const now = vectors as Float32Array[];
    if (canary === undefined) {
      await this.registry.saveCanary(model.id, Buffer.concat(now.map((vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength))));
    } else {
      const stored = Buffer.from(canary);
      const same = now.every((vector, index) => {
        const bytes = stored.subarray(index * model.dimensions * 4, (index + 1) * model.dimensions * 4);
        const before = new Float32Array(new Uint8Array(bytes).buffer);
        return before.length === vector.length && cosine(before, vector) >= CANARY_COSINE;
      });
      if (same) this.#canaryDiffers.delete(model.id);
      else this.#canaryDiffers.add(model.id);
    }
    this.#canaryChecked.add(model.id);
  }
}
