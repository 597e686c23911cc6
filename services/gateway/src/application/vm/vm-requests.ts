import { errors, memoryContracts as memory, type Principal, SCOPES } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { VmFrameOf } from '@plexus/vm-protocol';
import { z } from 'zod';
import type { VmSessions } from '../../domain/vm-sessions.js';
import { persist } from '../persist.js';
import type { VmIdentity, VmServices, VmWire } from './vm-ports.js';

type Request = VmFrameOf<'request'>;
type Answer =
  | { readonly result: unknown; readonly error: null }
  | { readonly result: null; readonly error: { readonly code: string; readonly message: string } };

/** Answers are kept so long: a resend or a resume never runs a request twice. */
const KEPT_MS = 300_000;
const MAX_KEPT = 1_000;
/** A request that its service cannot answer for so long fails. */
const REQUEST_LIMIT_MS = 60_000;

const MEMORY_KINDS = ['fact', 'preference', 'episode', 'summary', 'note'] as const;
const SearchParams = z.looseObject({ query: z.string().min(1).max(4_096), top_k: z.number().int().min(1).max(50).nullish() });
const WriteParams = z.looseObject({
  content: z.string().min(1).max(65_536),
  memory_type: z.string().max(64).nullish(),
  importance: z.number().min(0).max(1).nullish(),
  metadata: z.record(z.string().max(128), z.unknown()).nullish(),
});

/**
 * What VMs ask and the gateway has answered, per VM incarnation. Outlives connections: an answer that was lost with a socket is repeated on
 * the next one.
 */
export class RequestLedger {
  private readonly answers = new Map<string, { readonly answer: Promise<Answer>; settled: Answer | undefined; readonly at: number }>();

  /** The answer of a request, from the ledger when it was asked before. */
  once(id: string, now: number, ask: () => Promise<Answer>): Promise<Answer> {
    for (const [known, { at, settled }] of this.answers) {
      if (settled === undefined || (now - at < KEPT_MS && this.answers.size <= MAX_KEPT)) break;
      this.answers.delete(known);
    }
    const before = this.answers.get(id);
    if (before !== undefined) return before.answer;
    const entry = { answer: ask(), settled: undefined as Answer | undefined, at: now };
    this.answers.set(id, entry);
    entry.answer.then(
      (answer) => {
        entry.settled = answer;
      },
      // Given up because the connection went: the VM asks again.
      () => this.answers.delete(id),
    );
    return entry.answer;
  }

  /** The entry of `resume_response` for one request. */
  resume(id: string): Record<string, unknown> {
    const entry = this.answers.get(id);
    if (entry === undefined) return { status: 'not_found' };
    if (entry.settled === undefined) return { status: 'pending' };
    return entry.settled.error === null ? { status: 'completed', data: entry.settled.result } : { status: 'failed', error: entry.settled.error };
  }
}

/** Answers the requests of one connection that belong to a service which the gateway may ask. */
export class VmRequests {
  constructor(
    private readonly identity: VmIdentity,
    private readonly services: VmServices,
    private readonly sessions: VmSessions,
    private readonly ledger: RequestLedger,
    private readonly wire: VmWire,
  ) {}

  /** The others go to the scheduler, which answers through the VM's outbox. */
  answers(method: string): boolean {
    return method === 'memory_search' || method === 'memory_write';
  }

  /** Asks, and sends the response. Rejects only when the signal aborts. */
  async answer(request: Request, signal: AbortSignal): Promise<void> {
    const answer = await this.ledger.once(request.id, this.services.now(), () => this.ask(request, signal));
    this.wire.send(JSON.stringify({ type: 'response', id: request.id, ...answer }));
  }

  resume(ids: readonly string[]): Record<string, unknown> {
    return Object.fromEntries(ids.map((id) => [id, this.ledger.resume(id)]));
  }

  private async ask(request: Request, signal: AbortSignal): Promise<Answer> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_LIMIT_MS)]);
    try {
      const result = request.method === 'memory_search' ? await this.search(request, limit) : await this.write(request, limit);
      return { result, error: null };
    } catch (error) {
      if (signal.aborted) throw error;
      const known = PlexusError.isPlexusError(error) ? error : errors.create(limit.aborted ? 'TIMEOUT' : 'INTERNAL', { cause: error });
      if (known.code === 'INTERNAL') this.services.log.error({ error, method: request.method }, 'a request of a VM failed');
      return { result: null, error: { code: known.code, message: known.message } };
    }
  }

  private async search(request: Request, signal: AbortSignal): Promise<unknown> {
    const params = read(SearchParams, request.params);
    const call = () =>
      this.services.mesh.call(
        memory.searchMemory,
        this.identity.tenant,
        { query: params.query, ...(params.top_k == null ? {} : { k: params.top_k }) },
        { principal: this.principal(request.session_id), signal },
      );
    const { hits } = await persist(call, signal);
    return {
      results: hits.map(({ id, content, score, metadata, kind, createdAt }) => ({
        id,
        content,
        score,
        metadata: { ...metadata, kind, created_at: createdAt },
      })),
    };
  }

  private async write(request: Request, signal: AbortSignal): Promise<unknown> {
    const { content, memory_type, importance, metadata } = read(WriteParams, request.params);
    const call = () =>
      this.services.mesh.call(
        memory.writeMemory,
        this.identity.tenant,
        {
          content,
          kind: MEMORY_KINDS.find((kind) => kind === memory_type) ?? 'note',
          ...(importance == null ? {} : { importance }),
          ...(metadata == null ? {} : { metadata }),
          // The same request, sent again by the runtime after a reconnect to another gateway, is stored once.
          idempotencyKey: `${this.identity.vmId}:${this.identity.epoch}:${request.id}`.slice(0, 256),
        },
        { principal: this.principal(request.session_id), signal },
      );
    const { id, result } = await persist(call, signal);
    return { id, result };
  }

  /** Acts for the owner of the session that asks; of the VM when the session is not known. */
  private principal(sessionId: string): Principal {
    const { tenant, vmId, epoch, owner } = this.identity;
    return {
      tenant,
      user: this.sessions.get(sessionId)?.owner ?? owner,
      role: 'vm',
      scopes: [SCOPES.read, SCOPES.write],
      credentialId: `${vmId}:${epoch}`,
    };
  }
}

function read<T extends z.ZodType>(schema: T, params: unknown): z.output<T> {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map(({ path, message }) => ({ path: `/${path.map(String).join('/')}`, message }));
  throw errors.create('INVALID_REQUEST', { message: issues.map(({ path, message }) => `${path}: ${message}`).join('; '), details: { issues } });
}
