import type { Clock } from '@plexus/kernel';
import { type Episode, episodesOf } from '../domain/session-episodes.js';
import type { MessageRange } from '../domain/session-ranges.js';
import { cutText } from '../domain/memory-text.js';
import type { MemoryWriter } from './ports.js';
import type { KeptMessage, SessionRecord, SessionStore, SessionSummariser } from './session-ports.js';
import { MAX_CONTENT_BYTES, type WriteAnswer, type WriteMemory, type WriteRequest } from './write-memory.js';

const PAGE = 500;
/** Other texts for the same messages need another version, or a flush that a crash interrupted would meet its own keys with another body. */
const FORM = 'v1';
const MAX_FACTS = 50;
const SUMMARISER_MS = 60_000;

export interface Flushed {
  /** Absent: there was nothing to keep. */
  readonly range?: MessageRange;
  readonly episodes: number;
}

/**
 * Makes memories of messages, model-free: episodes in the scope of their session. The range is settled before the first of them is written and
 * every write has the key session:from:to, so a flush that is repeated, interrupted or done by two at once is one flush.
 */
export class FlushSessions {
  constructor(
    private readonly store: SessionStore,
    private readonly writing: Pick<WriteMemory, 'execute'>,
    private readonly writer: Pick<MemoryWriter, 'forget'>,
    private readonly clock: Clock,
    private readonly onProblem: (error: unknown) => void,
    private readonly summariser?: SessionSummariser,
  ) {}

  /** Up to `upto`; what an earlier flush has begun is ended first. */
  async execute(tenant: string, sessionId: string, upto: number): Promise<Flushed> {
    let from: number | undefined;
    let to = 0;
    let episodes = 0;
    for (;;) {
      const range = await this.store.beginFlush(tenant, sessionId, upto, this.#now());
      if (range === undefined) return { ...(from === undefined ? {} : { range: { from, to } }), episodes };
      const written = await this.#flush(tenant, sessionId, range);
      if (written === undefined) return { episodes };
      from ??= range.from;
      to = range.to;
      episodes += written;
    }
  }

  /** Keeps what a model made of a range as a memory. */
  async keepSummary(tenant: string, record: SessionRecord, range: MessageRange, text: string): Promise<void> {
    await this.#write(tenant, record, range, { content: cutText(text, MAX_CONTENT_BYTES), kind: 'summary' }, 'summary');
  }

  async #flush(tenant: string, sessionId: string, range: MessageRange): Promise<number | undefined> {
    const record = await this.store.read(tenant, sessionId);
    if (record === undefined) return undefined;
    const messages = await this.#messages(tenant, sessionId, range);
    const kept: WriteAnswer[] = [];
    for (const [index, episode] of episodesOf(messages).entries()) kept.push(await this.#keep(tenant, record, range, episode, index));
    const end = await this.store.endFlush(tenant, sessionId, range, this.#now());
    if (end === undefined) {
      // Erased while it was flushed: what was written after that goes, too, but not what somebody else had said in the same words.
      for (const { id, result } of kept) if (result !== 'duplicate') await this.writer.forget(tenant, id, this.#now());
      return undefined;
    }
    if (end.ended) await this.#summarise(tenant, record, range, messages);
    return kept.length;
  }

  #keep(tenant: string, record: SessionRecord, range: MessageRange, episode: Episode, index: number): Promise<WriteAnswer> {
    const { content, from, to, untrusted } = episode;
    const request = { content, kind: 'episode' as const, ...(untrusted ? { origin: 'untrusted' as const } : {}) };
    return this.#write(tenant, record, range, request, `episode:${index}`, { from, to });
  }

  /** The episodes are stored by now: whatever a model makes of them, or fails to, nothing is lost. */
  async #summarise(tenant: string, record: SessionRecord, range: MessageRange, messages: readonly KeptMessage[]): Promise<void> {
    if (this.summariser === undefined) return;
    try {
      const { facts, summary } = await this.summariser.summarise(messages, AbortSignal.timeout(SUMMARISER_MS));
      for (const [index, content] of facts.slice(0, MAX_FACTS).entries()) {
        await this.#write(tenant, record, range, { content: cutText(content, MAX_CONTENT_BYTES), kind: 'fact', origin: 'agent' }, `fact:${index}`);
      }
      if (summary !== undefined && summary !== '') await this.keepSummary(tenant, record, range, summary);
    } catch (error) {
      this.onProblem(error);
    }
  }

  async #write(
    tenant: string,
    { sessionId, sessionKey, owner }: SessionRecord,
    range: MessageRange,
    request: Pick<WriteRequest, 'content' | 'kind' | 'origin'>,
    what: string,
    at = range,
  ): Promise<WriteAnswer> {
    const from = { session: sessionId, from: at.from, to: at.to };
    return this.writing.execute(
      { tenant, user: owner, privileged: true, credential: 'session-flush' },
      { ...request, namespace: '', scope: { kind: 'session', id: sessionKey }, metadata: from, from },
      JSON.stringify(['session-flush', FORM, sessionId, range.from, range.to, what]),
    );
  }

  async #messages(tenant: string, sessionId: string, { from, to }: MessageRange): Promise<KeptMessage[]> {
    const messages: KeptMessage[] = [];
    for (let after = from - 1; after < to; ) {
      const page = await this.store.messages(tenant, sessionId, after, Math.min(PAGE, to - after));
      if (page.length === 0) break; // forgotten meanwhile
      messages.push(...page);
      after = (page.at(-1) as KeptMessage).seq;
    }
    return messages;
  }

  #now(): Date {
    return new Date(this.clock.now());
  }
}
