import type { Bus } from '@plexus/bus';
import { type InputOf, type Principal, plexusError, routingContracts as routing, sessionContracts as session } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';

/** Tests share their machine with others; a slow disk is not what they are about. */
const PATIENT = { timeoutMs: 20_000 };

interface Session {
  tenant: string;
  owner: string;
  sessionKey: string;
  sessionId: string;
  messages: routing.TranscriptMessage[];
}

/** Routing as far as the gateway sees it: sessions and runs in memory, and the events that it publishes. */
export class RoutingStandIn {
  readonly sessions = new Map<string, Session>();
  readonly runs = new Map<string, routing.RunSummary>();
  readonly accepted: { principal: Principal; data: InputOf<typeof routing.acceptMessage> }[] = [];
  readonly cancelled: { readonly sessionKey: string; readonly runId?: string | undefined; readonly reason: string }[] = [];
  /** Passes a cancel on, as routing does by the scheduler. */
  onCancel: (run: { readonly sessionKey: string; readonly runId?: string | undefined; readonly reason: string }) => void = () => undefined;
  /** Held calls of describe-session, to look at requests that take long. */
  describeGate: Promise<void> | undefined;
  /** Held calls of accept-message; in the order of their coming, each waits for its own. */
  readonly acceptGates: Promise<void>[] = [];
  /** What changed sessions, in the order in which it came. */
  readonly changes: string[] = [];
  /** Calls of describe-session that came in. */
  described = 0;

  constructor(private readonly bus: Bus) {
    const canonical = (key = 'main') => (key.startsWith('agent:') ? key : `agent:main:${key}`);
    bus.serve(routing.acceptMessage, async (data, { principal }) => {
      this.changes.push(`message ${data.message}`);
      await this.acceptGates.shift();
      this.accepted.push({ principal, data });
      const found = this.ensure(principal, canonical(data.sessionKey));
      const runId = data.idempotencyKey ?? ulid();
      const address = { runId, sessionId: found.sessionId, sessionKey: found.sessionKey, agentId: 'main' };
      const run = this.runs.get(runId);
      if (run !== undefined) return run.endedAt === undefined ? { ...address, status: 'in_flight' as const } : { ...address, status: 'done' as const, run };
      this.runs.set(runId, { runId, sessionId: found.sessionId, sessionKey: found.sessionKey, status: 'started', createdAt: new Date().toISOString() });
      this.append(found, 'user', data.message, runId);
      return { ...address, status: 'accepted' as const };
    });
    bus.serve(routing.getHistory, async ({ sessionKey, limit, before }, { principal }) => {
      const found = this.find(principal, canonical(sessionKey));
      const older = (found?.messages ?? []).filter(({ seq }) => before === undefined || seq < before);
      const messages = older.slice(-limit);
      return {
        sessionKey: canonical(sessionKey),
        ...(found && { sessionId: found.sessionId }),
        messages,
        hasMore: older.length > messages.length,
        totalMessages: found?.messages.length ?? 0,
      };
    });
    bus.serve(routing.describeSession, async ({ sessionKey }, { principal }) => {
      this.described += 1;
      await this.describeGate;
      const found = this.find(principal, canonical(sessionKey));
      return { sessionKey: canonical(sessionKey), ...(found && { session: this.summary(found) }) };
    });
    bus.serve(routing.listSessions, async ({ limit, offset }, { principal }) => {
      const own = [...this.sessions.values()].filter(({ tenant, owner }) => tenant === principal.tenant && owner === principal.user);
      return { sessions: own.slice(offset, offset + limit).map((one) => this.summary(one)), totalCount: own.length, hasMore: own.length > offset + limit };
    });
    bus.serve(routing.createSession, async ({ sessionKey }, { principal }) => {
      const created = this.find(principal, canonical(sessionKey)) === undefined;
      const made = this.ensure(principal, canonical(sessionKey));
      if (created) await this.changed(made, 'created');
      return { session: this.summary(made), created };
    });
    bus.serve(routing.deleteSession, async ({ sessionKey }, { principal }) => {
      this.changes.push('delete');
      const { tenant, user } = principal;
      return { sessionKey: canonical(sessionKey), deleted: this.sessions.delete(`${tenant}/${user}/${canonical(sessionKey)}`) };
    });
    bus.serve(routing.resetSession, async ({ sessionKey }, { principal }) => {
      this.changes.push('reset');
      const found = this.find(principal, canonical(sessionKey));
      if (found === undefined) throw plexusError('SESSION_NOT_FOUND');
      const previousSessionId = found.sessionId;
      found.sessionId = ulid();
      found.messages = [];
      await this.changed(found, 'reset', previousSessionId);
      return { session: this.summary(found), previousSessionId };
    });
    bus.serve(routing.injectMessage, async ({ sessionKey, message, label }, { principal }) => {
      const found = this.find(principal, canonical(sessionKey));
      if (found === undefined) throw plexusError('SESSION_NOT_FOUND');
      const { messageId } = this.append(found, 'assistant', message);
      await this.publish(found, { event: { type: 'message', text: message, messageId, ...(label !== undefined && { label }) } });
      return { messageId, sessionId: found.sessionId, sessionKey: found.sessionKey };
    });
    bus.serve(routing.cancelRun, async (data) => {
      this.changes.push('cancel');
      this.cancelled.push(data);
      this.onCancel(data);
      return { aborted: true, runIds: data.runId === undefined ? [] : [data.runId] };
    });
    bus.serve(routing.getRun, async ({ runId }) => {
      const run = this.runs.get(runId);
      return run === undefined ? {} : { run };
    });
    bus.serve(routing.listAgents, async () => ({ defaultAgentId: 'main', agents: [{ id: 'main', model: 'big/one' }] }));
  }

  ensure({ tenant, user }: Pick<Principal, 'tenant' | 'user'>, sessionKey: string): Session {
    const key = `${tenant}/${user}/${sessionKey}`;
    const made = this.sessions.get(key) ?? { tenant, owner: user ?? '', sessionKey, sessionId: ulid(), messages: [] };
    this.sessions.set(key, made);
    return made;
  }

  /** Writes the end of a run as routing does when it has seen it in the stream. */
  close(runId: string, end: Partial<routing.RunSummary>): void {
    this.runs.set(runId, { ...(this.runs.get(runId) as routing.RunSummary), status: 'ok', endedAt: new Date().toISOString(), ...end });
  }

  append(to: Session, role: 'user' | 'assistant', text: string, runId?: string): routing.TranscriptMessage {
    const message = { messageId: ulid(), seq: to.messages.length + 1, role, text, at: new Date().toISOString(), ...(runId !== undefined && { runId }) };
    to.messages.push(message);
    return message;
  }

  /** One event of a session, as a service or (with epoch) a VM writes it. */
  async publish(to: Session, data: Partial<InputOf<typeof session.sessionEvent>> & Pick<InputOf<typeof session.sessionEvent>, 'event'>): Promise<number> {
    const { tenant, owner, sessionKey, sessionId } = to;
    const ack = await this.bus.publish(
      session.sessionEvent,
      { tenant, key: [sessionId], data: { sessionId, sessionKey, owner, agentId: 'main', ...data } },
      PATIENT,
    );
    return ack.seq;
  }

  /** Chunks and the end of a run. */
  async answer(to: Session, runId: string, chunks: readonly string[], o: { end?: boolean; from?: number; epoch?: number } = {}): Promise<void> {
    const epoch = o.epoch ?? 1;
    let runSeq = o.from ?? 1;
    for (const content of chunks) await this.publish(to, { runId, runSeq: runSeq++, epoch, event: { type: 'text_chunk', content } });
    if (o.end !== false) await this.publish(to, { runId, runSeq, epoch, event: { type: 'execution_complete', usage: { input_tokens: 1, output_tokens: 2 } } });
  }

  async message(to: Session, message: routing.TranscriptMessage): Promise<void> {
    const { tenant, owner, sessionKey, sessionId } = to;
    await this.bus.publish(session.sessionMessage, { tenant, key: [sessionId], data: { sessionId, sessionKey, owner, agentId: 'main', message } }, PATIENT);
  }

  private async changed(to: Session, change: 'created' | 'reset', previousSessionId?: string): Promise<void> {
    const { tenant, owner, sessionKey, sessionId } = to;
    const data = { sessionId, sessionKey, owner, agentId: 'main', change, ...(previousSessionId !== undefined && { previousSessionId }) };
    await this.bus.publish(session.sessionChanged, { tenant, key: [sessionId], data }, PATIENT);
  }

  private find({ tenant, user }: Principal, sessionKey: string): Session | undefined {
    return this.sessions.get(`${tenant}/${user}/${sessionKey}`);
  }

  private summary({ sessionKey, sessionId, owner, messages }: Session): routing.SessionSummary {
    const at = '2026-11-21T10:00:00Z';
    return { sessionKey, sessionId, owner, agentId: 'main', kind: 'direct', createdAt: at, updatedAt: at, messageCount: messages.length };
  }
}
