import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { type Caller, mayDelete, maySee, type Place, type Scope } from '../domain/access.js';
import { CURRENT_RULES, type LexRules } from '../domain/lex-rules.js';
import { equalityForm, identityForm, isIdentifier, storedJson, storedText } from '../domain/memory-text.js';
import type { EmbeddingModels } from './embedding-models.js';
import { hashOf, macOf } from './macs.js';
import type { MemoryKind, MemoryOrigin, MemoryReader, MemoryWriter, NewMemory, TenantKeys } from './ports.js';
import { requireNamespace, requirePlace } from './require-scope.js';

export const MAX_CONTENT_BYTES = 65_536;
export const MAX_METADATA_BYTES = 8_192;
const MAX_ID_BYTES = 64;

const YEAR_1 = new Date('0001-01-01T00:00:00Z');
const YEAR_9999 = new Date('9999-12-31T23:59:59.999Z');

export interface WriteRequest {
  readonly content: string;
  readonly kind: MemoryKind;
  readonly scope?: Scope;
  readonly namespace: string;
  readonly importance?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly expiresAt?: string;
  readonly validFrom?: string;
  readonly validTo?: string;
  readonly evergreen?: boolean;
  readonly origin?: MemoryOrigin;
  /** What it was made from, kept with its source. */
  readonly from?: Readonly<Record<string, unknown>>;
}

/** What a new revision says differently; what is absent stays as it was, except its validity and expiry, which belong to a content. */
export interface UpdateRequest {
  readonly content: string;
  readonly kind?: MemoryKind;
  readonly importance?: number;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly expiresAt?: string;
  readonly validFrom?: string;
  readonly validTo?: string;
  readonly evergreen?: boolean;
}

export interface WriteAnswer {
  readonly id: string;
  readonly result: 'created' | 'duplicate' | 'replayed';
  /** `pending`: findable by its words now, by vector soon. `none`: no model serves. */
  readonly embedding: 'pending' | 'none';
}

/** Stores one memory. When it resolves, the memory is durable and findable by text. */
export class WriteMemory {
  constructor(
    private readonly writer: MemoryWriter,
    private readonly reader: Pick<MemoryReader, 'get'>,
    private readonly keys: TenantKeys,
    private readonly models: Pick<EmbeddingModels, 'wanted'>,
    private readonly clock: Clock,
    private readonly newId: () => string,
    private readonly rules: LexRules = CURRENT_RULES,
  ) {}

  /**
   * `idempotencyKey` is unique per tenant and user; a repeat of it is `replayed` for seven days. Fails with PAYLOAD_TOO_LARGE, CONFLICT
   * (the key was used for another body), FORBIDDEN (a scope of somebody else) or INVALID_REQUEST.
   */
  async execute(caller: Caller, request: WriteRequest, idempotencyKey?: string): Promise<WriteAnswer> {
    requireSizes(request);
    const memory = await this.#prepare(caller, request);
    const idempotency = idempotencyKey === undefined ? undefined : { key: hashOf([caller.user ?? null, idempotencyKey]), requestHash: hashOf({ ...request }) };
    const outcome = await this.writer.write(caller.tenant, memory, idempotency);
    if (outcome.result === 'conflict') throw errors.create('CONFLICT', { message: 'This idempotency key was used for another memory.' });
    return { ...outcome, embedding: embeddingOf(memory) };
  }

  /**
   * Replaces a memory by a new revision. Fails with NOT_FOUND for what the caller may not see, FORBIDDEN for what it may not delete, and CONFLICT
   * when it was replaced already.
   */
  async update(caller: Caller, id: string, request: UpdateRequest): Promise<WriteAnswer & { readonly result: 'created' | 'duplicate' }> {
    requireSizes(request);
    const old = isIdentifier(id, MAX_ID_BYTES) ? await this.reader.get(caller.tenant, id, new Date(this.clock.now())) : undefined;
    if (old === undefined || !maySee(caller, old.place)) throw errors.create('NOT_FOUND', { details: { id } });
    if (!mayDelete(caller, old.place, old.author)) throw errors.create('FORBIDDEN', { message: 'Only its author or an administrator may change this memory.' });
    const next = await this.#prepareAt(caller, old.place, {
      namespace: old.namespace,
      evergreen: old.evergreen,
      ...(old.importance === undefined ? {} : { importance: old.importance }),
      ...(old.metadata === undefined ? {} : { metadata: old.metadata }),
      ...(old.origin === undefined ? {} : { origin: old.origin }),
      kind: old.kind,
      ...request,
    });
    const outcome = await this.writer.supersede(caller.tenant, id, next);
    if (outcome.result === 'gone') throw errors.create('NOT_FOUND', { details: { id } });
    if (outcome.result === 'superseded') {
      throw errors.create('CONFLICT', { message: 'This memory was replaced already; update its successor.', details: { supersededBy: outcome.by } });
    }
    return { ...outcome, embedding: embeddingOf(next) };
  }

  #prepare(caller: Caller, request: WriteRequest): Promise<NewMemory> {
    return this.#prepareAt(caller, requirePlace(caller, request.scope), request);
  }

  async #prepareAt(caller: Caller, place: Place, request: WriteRequest): Promise<NewMemory> {
    const [key, models] = await Promise.all([this.keys.macKey(caller.tenant), this.models.wanted()]);
    return {
      modelIds: models.map(({ model }) => model.id),
      id: `mem_${this.newId()}`,
      place,
      namespace: requireNamespace(request.namespace),
      kind: request.kind,
      content: storedText(request.content),
      contentMac: macOf(key, identityForm(request.content)),
      matchMac: macOf(key, equalityForm(request.content)),
      terms: this.rules.documentTerms(request.content),
      lexVersion: this.rules.version,
      ...(request.importance === undefined ? {} : { importance: request.importance }),
      ...(request.metadata === undefined ? {} : { metadata: storedJson(request.metadata) as Record<string, unknown> }),
      source: {
        ...(caller.user === undefined ? {} : { user: storedText(caller.user) }),
        credential: storedText(caller.credential),
        ...(request.origin === undefined ? {} : { origin: request.origin }),
        ...(request.from === undefined ? {} : { from: storedJson(request.from) as Record<string, unknown> }),
      },
      createdAt: new Date(this.clock.now()),
      ...(request.expiresAt === undefined ? {} : { expiresAt: requireInstant('expiresAt', request.expiresAt) }),
      ...(request.validFrom === undefined ? {} : { validFrom: requireInstant('validFrom', request.validFrom) }),
      ...(request.validTo === undefined ? {} : { validTo: requireInstant('validTo', request.validTo) }),
      ...(request.evergreen === undefined ? {} : { evergreen: request.evergreen }),
    };
  }
}

function requireSizes({ content, metadata }: Pick<WriteRequest, 'content' | 'metadata'>): void {
  const contentBytes = Buffer.byteLength(content);
  if (contentBytes > MAX_CONTENT_BYTES) {
    throw errors.create('PAYLOAD_TOO_LARGE', { details: { field: 'content', bytes: contentBytes, maxBytes: MAX_CONTENT_BYTES } });
  }
  const metadataBytes = metadata === undefined ? 0 : Buffer.byteLength(JSON.stringify(metadata));
  if (metadataBytes > MAX_METADATA_BYTES) {
    throw errors.create('PAYLOAD_TOO_LARGE', { details: { field: 'metadata', bytes: metadataBytes, maxBytes: MAX_METADATA_BYTES } });
  }
}

/** The years 1 to 9999 in UTC: an offset can lead out of them, and what lies beyond could not be written down again. */
function requireInstant(path: string, text: string): Date {
  const instant = new Date(text);
  if (instant >= YEAR_1 && instant <= YEAR_9999) return instant;
  throw errors.create('INVALID_REQUEST', { details: { issues: [{ path, message: 'must lie in the years 1 to 9999, in UTC' }] } });
}

function embeddingOf({ modelIds }: NewMemory): WriteAnswer['embedding'] {
  return modelIds.length === 0 ? 'none' : 'pending';
}
