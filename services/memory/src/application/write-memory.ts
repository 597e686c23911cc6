import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Caller, Scope } from '../domain/access.js';
import { equalityForm, identityForm, storedJson, storedText } from '../domain/memory-text.js';
import { documentTerms, LEX_VERSION } from '../domain/tokeniser.js';
import { hashOf, macOf } from './macs.js';
import type { MemoryKind, MemoryWriter, NewMemory, TenantKeys } from './ports.js';
import { requireNamespace, requirePlace } from './require-scope.js';

export const MAX_CONTENT_BYTES = 65_536;
export const MAX_METADATA_BYTES = 8_192;

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
}

export interface WriteAnswer {
  readonly id: string;
  readonly result: 'created' | 'duplicate' | 'replayed';
}

/** Stores one memory. When it resolves, the memory is durable and findable by text. */
export class WriteMemory {
  constructor(
    private readonly writer: MemoryWriter,
    private readonly keys: TenantKeys,
    private readonly clock: Clock,
    private readonly newId: () => string,
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
    return outcome;
  }

  async #prepare(caller: Caller, request: WriteRequest): Promise<NewMemory> {
    const place = requirePlace(caller, request.scope);
    const key = await this.keys.macKey(caller.tenant);
    return {
      id: `mem_${this.newId()}`,
      place,
      namespace: requireNamespace(request.namespace),
      kind: request.kind,
      content: storedText(request.content),
      contentMac: macOf(key, identityForm(request.content)),
      matchMac: macOf(key, equalityForm(request.content)),
      terms: documentTerms(request.content),
      lexVersion: LEX_VERSION,
      ...(request.importance === undefined ? {} : { importance: request.importance }),
      ...(request.metadata === undefined ? {} : { metadata: storedJson(request.metadata) as Record<string, unknown> }),
      source: { ...(caller.user === undefined ? {} : { user: storedText(caller.user) }), credential: storedText(caller.credential) },
      createdAt: new Date(this.clock.now()),
      ...(request.expiresAt === undefined ? {} : { expiresAt: requireInstant(request.expiresAt) }),
    };
  }
}

function requireSizes({ content, metadata }: WriteRequest): void {
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
function requireInstant(text: string): Date {
  const instant = new Date(text);
  if (instant >= YEAR_1 && instant <= YEAR_9999) return instant;
  throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'expiresAt', message: 'must lie in the years 1 to 9999, in UTC' }] } });
}
