import { errors } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { VmFrame, VmFrameOf } from '@plexus/vm-protocol';
import { isAnsweredMethod, isBrief, isUnknownMethod, runsOnce } from '../../domain/vm-methods.js';
import type { VmSessions } from '../../domain/vm-sessions.js';
import { failure } from './kept-requests.js';
import type { Answer, Asked, RequestLedger } from './request-ledger.js';
import { REQUEST_METHODS } from './request-methods.js';
import type { VmIdentity, VmServices, VmWire } from './vm-ports.js';
import type { VmTraces } from './vm-traces.js';

type Request = VmFrameOf<'request'>;

/** A request that its service cannot answer for so long fails. */
const REQUEST_LIMIT_MS = 60_000;
/** Requests of one VM that may be without an answer at once. */
const MAX_UNANSWERED = 1_000;

/**
 * Answers the requests of one connection that belong to a service which the gateway may ask. Work outlives the connection: a VM that comes
 * back finds the answer, or waits for it, by the id of its request.
 */
export class VmRequests {
  constructor(
    private readonly identity: VmIdentity,
    private readonly services: VmServices,
    private readonly sessions: VmSessions,
    private readonly ledger: RequestLedger,
    private readonly wire: VmWire,
    private readonly traces: VmTraces,
  ) {}

  /** The others go to the scheduler, which answers through the VM's outbox. */
  answers(method: string): boolean {
    return isAnsweredMethod(method);
  }

  /** Counts what is handed on although nobody here knows it. */
  noteUnknown(frame: VmFrame): void {
    const call = frame as { readonly type: string; readonly method?: string };
    if (!isUnknownMethod(call)) return;
    this.services.counters.unknownMethod += 1;
    this.services.log.warn({ vmId: this.identity.vmId, type: call.type, method: call.method?.slice(0, 64) }, 'a VM calls a method that does not exist');
  }

  /** Asks, and sends the response as soon as it is there. Resolves when the frame need not come again. */
  async answer(request: Request): Promise<void> {
    const asked = this.ledger.once(request.id, this.services.now(), () => this.begin(request));
    this.deliver(request.id, asked.answer);
    await asked.safe;
  }

  /** What became of requests whose answers the VM still misses. One that is in work is answered later, by a `response`. */
  async resume(ids: readonly string[], signal: AbortSignal): Promise<Record<string, unknown>> {
    const results = await Promise.all(ids.map(async (id) => [id, await this.resumed(id, signal)] as const));
    return Object.fromEntries(results);
  }

  private async resumed(id: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    const asked = this.ledger.find(id);
    if (asked?.settled !== undefined) return outcome(asked.settled);
    if (asked !== undefined) {
      this.deliver(id, asked.answer);
      return { status: 'pending' };
    }
    const { vmId, epoch } = this.identity;
    const key = { vmId, epoch, id };
    const kept = await this.services.requests.find(key, signal);
    if (kept === undefined) return { status: 'not_found' };
    if (kept.state === 'done') return outcome(kept.answer);
    this.deliver(id, this.services.requests.follow(key, signal));
    return { status: 'pending' };
  }

  private deliver(id: string, answer: Promise<Answer>): void {
    // A closed socket takes nothing: the VM asks for it after its reconnect.
    void answer.then((given) => this.wire.send(JSON.stringify({ type: 'response', id, ...given })));
  }

  private begin(request: Request): Asked {
    if (this.ledger.unanswered >= MAX_UNANSWERED) {
      const refused = Promise.resolve(failure('QUEUE_FULL', `${MAX_UNANSWERED} requests of this VM have no answer yet`));
      return { answer: refused, safe: refused };
    }
    const { vmId, epoch } = this.identity;
    if (runsOnce(request.method)) return this.services.requests.once({ vmId, epoch, id: request.id }, () => this.ask(request));
    const answer = this.ask(request);
    return { answer, safe: answer, brief: isBrief(request.method) };
  }

  /** Never rejects. */
  private async ask(request: Request): Promise<Answer> {
    const signal = AbortSignal.timeout(REQUEST_LIMIT_MS);
    try {
      const method = Object.hasOwn(REQUEST_METHODS, request.method) ? REQUEST_METHODS[request.method] : undefined;
      if (method === undefined) throw errors.create('METHOD_NOT_FOUND');
      const { identity, services, sessions } = this;
      const work = () => method(request.params, { identity, services, sessions, request, signal });
      const { traceparent } = request;
      return { result: await (this.traces.knows(traceparent) ? services.tracing.within(traceparent, work) : work()), error: null };
    } catch (error) {
      const known = PlexusError.isPlexusError(error) ? error : errors.create(signal.aborted ? 'TIMEOUT' : 'INTERNAL', { cause: error });
      if (known.code === 'INTERNAL') this.services.log.error({ error, method: request.method }, 'a request of a VM failed');
      return { result: null, error: { code: known.code, message: known.message } };
    }
  }
}

function outcome(answer: Answer): Record<string, unknown> {
  return answer.error === null ? { status: 'completed', data: answer.result } : { status: 'failed', error: answer.error };
}
