import { ArchiveDigest, errors, memoryArchiveContracts } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import { type Caller, type Place, type Scope, viewOf } from '../domain/access.js';
import { equalityForm, identityForm, isIdentifier, storedJson, storedText } from '../domain/memory-text.js';
import { CURRENT_RULES, type LexRules } from '../domain/lex-rules.js';
import type { ArchivedMemory, ImportCounts, ImportStage, StagedMemory } from './archive-ports.js';
import { hashOf, macOf } from './macs.js';
import type { MemoryRetention, TenantKeys } from './ports.js';
import { requireNamespace } from './require-scope.js';
import { MAX_CONTENT_BYTES, MAX_METADATA_BYTES } from './write-memory.js';

const DAY_MS = 24 * 60 * 60_000;
/** An import that nobody goes on with is forgotten after a day, its outcome after a week. */
const STAGED_MS = DAY_MS;
const RESULTS_MS = 7 * DAY_MS;
const MAX_LINES = 1_000_000;
const READ = 500;
const MAX_IDENTIFIER_BYTES = 1_024;

export interface ImportRequest {
  readonly importId: string;
  readonly from: number;
  readonly lines: readonly string[];
  readonly manifest?: memoryArchiveContracts.ArchiveManifest;
}

export type ImportAnswer = { readonly importId: string; readonly staged: number; readonly done: boolean } & Partial<ImportCounts>;

/**
 * Takes the lines of an export back. Until the manifest came and agreed nothing of it can be found; then all of it can, at once: half a file
 * leaves nothing behind.
 */
export class ImportMemories {
  constructor(
    private readonly stage: ImportStage,
    private readonly keys: TenantKeys,
    private readonly retention: Pick<MemoryRetention, 'tenants'>,
    private readonly clock: Clock,
    private readonly rules: LexRules = CURRENT_RULES,
  ) {}

  /** Fails with INVALID_REQUEST for lines that are no memories or do not agree with the manifest, FORBIDDEN for scopes of somebody else. */
  async execute(caller: Caller, { importId, from, lines, manifest }: ImportRequest): Promise<ImportAnswer> {
    // Nobody else's import can be added to, whatever it is called.
    const key = hashOf([caller.user ?? caller.credential, importId]);
    const finished = manifest && (await this.#finished(caller.tenant, key, manifest));
    if (finished !== undefined) return { importId, ...finished };
    if (from + lines.length > MAX_LINES) throw errors.create('PAYLOAD_TOO_LARGE', { details: { field: 'lines', maxLines: MAX_LINES } });
    const macKey = await this.keys.macKey(caller.tenant);
    const now = new Date(this.clock.now());
    const memories = lines.map((line, index) => this.#prepare(caller, macKey, line, from + index));
    const staged = await this.stage.stage(caller.tenant, key, memories, now);
    if (manifest === undefined) return { importId, staged, done: false };
    const problem = await this.#verify(caller.tenant, key, manifest);
    if (problem !== undefined) {
      // The same page may have come twice, and the first one have ended in between.
      const meanwhile = await this.#finished(caller.tenant, key, manifest);
      if (meanwhile !== undefined) return { importId, ...meanwhile };
      await this.stage.discard(caller.tenant, key);
      throw problem;
    }
    return { importId, staged, done: true, ...(await this.stage.commit(caller.tenant, key, manifest.sha256, now)) };
  }

  /** Forgets imports that nobody finished; returns how many lines went. */
  async sweep(): Promise<number> {
    const now = this.clock.now();
    let gone = 0;
    for (const tenant of await this.retention.tenants()) {
      gone += await this.stage.sweep(tenant, { staged: new Date(now - STAGED_MS), results: new Date(now - RESULTS_MS) });
    }
    return gone;
  }

  async #finished(tenant: string, key: string, { sha256, memories }: memoryArchiveContracts.ArchiveManifest) {
    const result = await this.stage.result(tenant, key);
    if (result?.sha256 !== sha256) return undefined;
    const { created, present, expired } = result;
    return { staged: memories, done: true, created, present, expired };
  }

  /** What is wrong, unless the lines that are there are those of the manifest, all of them, in order. */
  async #verify(tenant: string, key: string, manifest: memoryArchiveContracts.ArchiveManifest): Promise<Error | undefined> {
    const digest = new ArchiveDigest();
    let isWhole = true;
    for (let after = -1; ; ) {
      const lines = await this.stage.lines(tenant, key, after, READ);
      for (const { position, line } of lines) {
        isWhole &&= position === digest.lines;
        digest.add(line);
      }
      after = lines.at(-1)?.position ?? after;
      if (lines.length < READ) break;
    }
    const found = digest.manifest(manifest.asOf);
    if (isWhole && found.memories === manifest.memories && found.sha256 === manifest.sha256) return undefined;
    return errors.create('INVALID_REQUEST', {
      message: `The file is not whole or was changed: it has ${digest.lines} lines, its manifest speaks of ${manifest.memories}, or their SHA-256 differs. Nothing was imported.`,
      details: { lines: digest.lines, expected: manifest.memories },
    });
  }

  #prepare(caller: Caller, key: Uint8Array, line: string, position: number): StagedMemory {
    const memory = readLine(line, position);
    const refuse = (path: string, message: string): never => refuseLine(position, path, message);
    if (Buffer.byteLength(memory.content) > MAX_CONTENT_BYTES) refuse('content', `takes more than ${MAX_CONTENT_BYTES} bytes`);
    if (memory.metadata !== undefined && Buffer.byteLength(JSON.stringify(memory.metadata)) > MAX_METADATA_BYTES) {
      refuse('metadata', `takes more than ${MAX_METADATA_BYTES} bytes`);
    }
    const at = (text: string | undefined, name: string) => (text === undefined ? {} : { [name]: new Date(text) });
    return {
      position,
      line,
      id: memory.id,
      place: requirePlace(caller, memory.scope, memory.owner, position),
      namespace: requireNamespace(memory.namespace),
      kind: memory.kind,
      content: storedText(memory.content),
      contentMac: macOf(key, identityForm(memory.content)),
      matchMac: macOf(key, equalityForm(memory.content)),
      terms: this.rules.documentTerms(memory.content),
      lexVersion: this.rules.version,
      ...(memory.importance === undefined ? {} : { importance: memory.importance }),
      ...(memory.metadata === undefined ? {} : { metadata: storedJson(memory.metadata) as Record<string, unknown> }),
      source: sourceOf(caller, memory),
      createdAt: new Date(memory.createdAt),
      ...at(memory.expiresAt, 'expiresAt'),
      ...at(memory.validFrom, 'validFrom'),
      ...at(memory.validTo, 'validTo'),
      ...at(memory.supersededAt, 'supersededAt'),
      evergreen: memory.evergreen ?? false,
      rev: memory.rev,
      ...(memory.rootId === undefined ? {} : { rootId: memory.rootId }),
      ...(memory.supersededBy === undefined ? {} : { supersededBy: memory.supersededBy }),
      seenCount: memory.seenCount,
    };
  }
}

function readLine(line: string, position: number): ArchivedMemory {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return refuseLine(position, '', 'is not JSON');
  }
  const parsed = memoryArchiveContracts.ArchivedMemory.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return refuseLine(position, issue?.path.join('.') ?? '', issue?.message ?? 'is not a memory');
}

function refuseLine(position: number, path: string, message: string): never {
  throw errors.create('INVALID_REQUEST', {
    message: `Line ${position + 1}: ${path === '' ? 'it' : path} ${message}`,
    details: { issues: [{ path: `lines.${position}${path === '' ? '' : `.${path}`}`, message }] },
  });
}

/** What a line says about where it belongs holds for somebody privileged; everybody else imports into what is theirs. */
function requirePlace(caller: Caller, scope: Scope, owner: string | undefined, position: number): Place {
  if (!isIdentifier(scope.id, MAX_IDENTIFIER_BYTES)) refuseLine(position, 'scope.id', 'cannot be stored');
  const view = viewOf(caller, scope);
  const own = scope.kind === 'session' ? (owner ?? caller.user) : '';
  if (own === undefined) return refuseLine(position, 'owner', 'is missing');
  if (view === 'not-yours' || view === 'no-user' || (view.owner !== undefined && view.owner !== own)) {
    throw errors.create('FORBIDDEN', { message: `Line ${position + 1}: this scope is another user's.` });
  }
  return { kind: scope.kind, id: scope.id, owner: storedText(own) };
}

/** Who wrote it is taken from the file only if somebody privileged says so. */
function sourceOf(caller: Caller, { author, origin }: ArchivedMemory): StagedMemory['source'] {
  const user = caller.privileged ? author : caller.user;
  return {
    ...(user === undefined ? {} : { user: storedText(user) }),
    credential: storedText(caller.credential),
    ...(origin === undefined || (!caller.privileged && origin !== 'untrusted') ? {} : { origin }),
    from: { import: true },
  };
}
