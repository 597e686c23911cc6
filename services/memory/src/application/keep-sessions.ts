import {
  COMPACTION_DEFAULTS,
  dropOldestHalves,
  estimateMessageTokens,
  estimateTokens,
  stepsBeforeTurn,
  type TurnStep,
  type Window,
  windowFor,
} from '@plexus/context-window';
import { errors } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { Caller } from '../domain/access.js';
import { isIdentifier, storedText } from '../domain/memory-text.js';
import { cutAt, type MessageRange } from '../domain/session-ranges.js';
import type { FlushSessions } from './flush-sessions.js';
import { ownerFor } from './owner-for.js';
import type { AppendOutcome, KeptMessage, NewMessage, SessionIdentity, SessionRecord, SessionStore } from './session-ports.js';

/** A message as somebody hands it in. */
export interface GivenMessage {
  readonly messageId: string;
  readonly role: KeptMessage['role'];
  readonly text: string;
  readonly at?: string;
  readonly runId?: string;
  readonly toolCalls?: KeptMessage['toolCalls'];
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly untrusted?: boolean;
  readonly sourceSeq?: number;
}

export interface WindowWish {
  readonly tokens: number;
  readonly reserveTokens?: number;
}

const MAX_SESSION_KEY_BYTES = 1_024;
const PAGE = 500;

/** Keeps the messages of sessions, and shortens what of them stands in the context: flushed first, always. */
export class KeepSessions {
  constructor(
    private readonly store: SessionStore,
    private readonly flushing: FlushSessions,
    private readonly clock: Clock,
    /** Window where nobody names one. */
    private readonly window: Window = windowFor(),
  ) {}

  /** Appends, and does what the thresholds then ask for. Fails with SESSION_NOT_FOUND for somebody else's session or one that was deleted. */
  async append(caller: Caller, session: Omit<SessionIdentity, 'owner'> & { readonly owner?: string }, messages: readonly GivenMessage[], wish?: WindowWish) {
    const owner = ownerFor(caller, session.owner);
    const outcome = await this.store.append(
      caller.tenant,
      identityOf(session, owner),
      messages.map((one) => this.#message(one)),
      this.#now(),
      false,
    );
    if (outcome.result !== 'appended') throw notFound(session.sessionId);
    const steps = await this.maintain(caller.tenant, outcome.record, wish);
    return { appended: outcome.appended, duplicates: outcome.duplicates, record: await this.#require(caller, session.sessionId, owner), steps };
  }

  /** Messages of a transcript that follow one another. `early`: the one before them is still on its way; with `inOrder` false that no longer matters. */
  async fromTranscript(tenant: string, session: SessionIdentity, messages: readonly GivenMessage[], inOrder: boolean): Promise<AppendOutcome['result']> {
    const given = messages.map((one) => this.#message(one));
    const outcome = await this.store.append(tenant, identityOf(session, session.owner), given, this.#now(), inOrder);
    if (outcome.result === 'appended') await this.maintain(tenant, outcome.record);
    return outcome.result;
  }

  async messages(caller: Caller, sessionId: string, owner: string | undefined, page: { readonly after?: number; readonly limit: number }) {
    const record = await this.#require(caller, sessionId, ownerFor(caller, owner));
    const found = await this.store.messages(caller.tenant, sessionId, page.after ?? record.compactedUpto, page.limit + 1);
    return { messages: found.slice(0, page.limit), record, more: found.length > page.limit };
  }

  /** Makes memories of everything up to `upto` that is none yet. */
  async flush(caller: Caller, sessionId: string, owner: string | undefined, upto?: number) {
    const record = await this.#require(caller, sessionId, ownerFor(caller, owner));
    const { range, episodes } = await this.#flush(caller.tenant, record, upto ?? record.lastSeq);
    return { range, episodes, record: await this.#require(caller, sessionId, record.owner) };
  }

  /** Lets what is older leave the context: up to `upto`, or so much that the rest takes half of the window. */
  async compact(
    caller: Caller,
    sessionId: string,
    owner: string | undefined,
    request: { readonly upto?: number; readonly summary?: string; readonly window?: WindowWish },
  ) {
    const record = await this.#require(caller, sessionId, ownerFor(caller, owner));
    const done = await this.#compact(caller.tenant, record, this.#windowOf(request.window), request.upto, request.summary);
    return { ...done, record: await this.#require(caller, sessionId, record.owner) };
  }

  /** Removes the messages of a session; what became memories stays until those are deleted. */
  forget(tenant: string, sessionId: string): Promise<number> {
    return this.store.forget(tenant, sessionId, this.#now());
  }

  /** What the thresholds ask for, in order: a compaction never comes without its flush. */
  async maintain(tenant: string, record: SessionRecord, wish?: WindowWish): Promise<TurnStep[]> {
    const window = this.#windowOf(wish);
    const { tokens, bytes } = await this.store.load(tenant, record.sessionId, record.compactedUpto);
    const load = { storedTokens: tokens + estimateTokens(record.summary ?? ''), newTokens: 0, transcriptBytes: bytes };
    const done: TurnStep[] = [];
    for (const step of stepsBeforeTurn({ compactions: record.compactions, flushedAt: record.flushedCycle }, load, window)) {
      const changed = step === 'flush' ? (await this.#flush(tenant, record, record.lastSeq)).range : (await this.#compact(tenant, record, window)).compacted;
      if (changed !== undefined) done.push(step);
    }
    return done;
  }

  async #flush(
    tenant: string,
    { sessionId, flushedUpto }: SessionRecord,
    wanted: number,
  ): Promise<{ readonly range?: MessageRange; readonly episodes: number }> {
    const upto = cutAt(await this.#all(tenant, sessionId, flushedUpto), wanted);
    return this.flushing.execute(tenant, sessionId, upto);
  }

  async #compact(tenant: string, record: SessionRecord, window: Window, upto?: number, summary?: string): Promise<Compacted> {
    const messages = await this.#all(tenant, record.sessionId, record.compactedUpto);
    const wanted = upto ?? dropOldestHalves(messages, Math.floor(window.tokens * COMPACTION_DEFAULTS.historyShare)).dropped.at(-1)?.seq ?? 0;
    const target = cutAt(messages, wanted);
    if (target <= record.compactedUpto) return {};
    // What the flush of this cycle did not reach is flushed now: nothing leaves the context that is no memory.
    const { range } = target > record.flushedUpto ? await this.#flush(tenant, record, target) : { range: undefined };
    const flushed = (await this.store.read(tenant, record.sessionId))?.flushedUpto ?? 0;
    const end = cutAt(messages, Math.min(target, flushed));
    const text = summary === undefined ? boundaryText(record, end) : storedText(summary);
    const after = end <= record.compactedUpto ? undefined : await this.store.compact(tenant, record.sessionId, end, text, this.#now());
    if (after === undefined) return range === undefined ? {} : { flushed: range };
    const compacted = { from: record.compactedUpto + 1, to: end };
    if (summary !== undefined) await this.flushing.keepSummary(tenant, after, compacted, summary);
    return { ...(range === undefined ? {} : { flushed: range }), compacted };
  }

  async #all(tenant: string, sessionId: string, after: number): Promise<KeptMessage[]> {
    const messages: KeptMessage[] = [];
    for (;;) {
      const page = await this.store.messages(tenant, sessionId, messages.at(-1)?.seq ?? after, PAGE);
      messages.push(...page);
      if (page.length < PAGE) return messages;
    }
  }

  async #require({ tenant }: Caller, sessionId: string, owner: string): Promise<SessionRecord> {
    const record = await this.store.read(tenant, sessionId);
    if (record === undefined || record.owner !== owner) throw notFound(sessionId);
    return record;
  }

  #windowOf(wish: WindowWish | undefined): Window {
    if (wish === undefined) return this.window;
    return windowFor({ configuredTokens: wish.tokens, ...(wish.reserveTokens === undefined ? {} : { reserveTokens: wish.reserveTokens }) });
  }

  #message({ at, untrusted, ...given }: GivenMessage): NewMessage {
    const message = { ...given, messageId: storedText(given.messageId), text: storedText(given.text) };
    return {
      ...message,
      untrusted: untrusted ?? given.role === 'tool',
      tokens: estimateMessageTokens(message),
      at: at === undefined ? this.#now() : new Date(at),
    };
  }

  #now(): Date {
    return new Date(this.clock.now());
  }
}

interface Compacted {
  readonly flushed?: MessageRange;
  /** Absent: nothing could leave. */
  readonly compacted?: MessageRange;
}

/** Without a model nothing is summed up: the context says where the rest is to be found. */
function boundaryText({ summary, compactions }: SessionRecord, upto: number): string {
  const kept = compactions > 0 && summary !== undefined && !summary.startsWith(BOUNDARY) ? `${summary}\n\n` : '';
  return `${kept}${BOUNDARY} (up to message ${upto}) are kept as memories of this session; search them by their words.]`;
}
const BOUNDARY = '[Earlier messages';

function identityOf(session: Omit<SessionIdentity, 'owner'>, owner: string): SessionIdentity {
  if (!isIdentifier(session.sessionKey, MAX_SESSION_KEY_BYTES) || !isIdentifier(session.agentId ?? '', MAX_SESSION_KEY_BYTES)) {
    throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'sessionKey', message: 'must be well-formed Unicode without U+0000' }] } });
  }
  const { sessionId, sessionKey, agentId } = session;
  return { sessionId, sessionKey, owner, ...(agentId === undefined ? {} : { agentId }) };
}

function notFound(sessionId: string) {
  return errors.create('SESSION_NOT_FOUND', { details: { sessionId } });
}
