import { withoutOrphanedResults } from '@plexus/context-window';
import { parseJson } from '@plexus/kernel';
import { z } from 'zod';
import { headAndTail } from '../../domain/bounded-text.js';
import type { Log } from '../ports.js';
import { readContextState } from './context-state.js';
import { readConversation, writeConversation } from './conversation-text.js';
import type { ContextState, ConversationMessage } from './types.js';

/** The files of one session's short-term memory. */
export interface SessionFiles {
  /** Undefined: it is not there. Rejects when it cannot be read, or is larger than `maxBytes`. */
  read(name: string, maxBytes: number): Promise<string | undefined>;
  /** Resolves when it is on the disk as a whole: a crash at any point leaves the old text or the new one. */
  write(name: string, text: string): Promise<void>;
}

export interface SessionMemoryLimits {
  readonly conversationBytes: number;
  readonly contextBytes: number;
  readonly scratchpadBytes: number;
}

export const SESSION_MEMORY_LIMITS: SessionMemoryLimits = { conversationBytes: 4 * 1024 * 1024, contextBytes: 64 * 1024, scratchpadBytes: 64 * 1024 };

/** Parts of a snapshot: it goes out as one frame, together with the checkpoint. */
const SNAPSHOT_CONVERSATION_BYTES = 48 * 1024;
const SNAPSHOT_SCRATCHPAD_CHARS = 16 * 1024;

const CONVERSATION = 'conversation.md';
const CONTEXT = 'context.json';
const SCRATCHPAD = 'scratchpad.md';

const LOST = 'The result of this call is lost.';
const Stored = z.object({ messages: z.unknown(), context: z.unknown() }).partial().catch({});

export interface RememberedConversation {
  readonly conversation: readonly ConversationMessage[];
  readonly context?: ContextState | undefined;
}

/** What a snapshot has of it. Plain JSON. */
export interface SessionMemorySnapshot {
  readonly short_term_memory: { readonly conversation_md: string; readonly scratchpad_md: string };
  readonly conversation_state: { readonly messages: number; readonly context?: ContextState };
}

/** Short-term memory of one session in its folder: it goes on after a restart with what was said, without the mesh's history. */
export class SessionMemory {
  #conversation: readonly ConversationMessage[];
  #context: ContextState | undefined;
  #saving: Promise<void> = Promise.resolve();
  readonly #written = new Map<string, string>();

  private constructor(
    private readonly files: SessionFiles,
    private readonly limits: SessionMemoryLimits,
    private readonly log: Log,
    found: RememberedConversation,
  ) {
    this.#conversation = found.conversation;
    this.#context = found.context;
  }

  /** Reads what an earlier process left. A file that cannot be read counts as not there, with a line in the log. */
  static async open(files: SessionFiles, { log, limits = {} }: { readonly log: Log; readonly limits?: Partial<SessionMemoryLimits> }): Promise<SessionMemory> {
    const bounds = { ...SESSION_MEMORY_LIMITS, ...limits };
    const text = await readOr(files, CONVERSATION, bounds.conversationBytes, log);
    const conversation = withLostResults(withoutOrphanedResults(readConversation(text)));
    const stored = parseJson((await readOr(files, CONTEXT, bounds.contextBytes, log)) || '{}', { maxBytes: bounds.contextBytes });
    const { messages, context: value } = Stored.parse(stored.ok ? stored.value : undefined);
    const context = readContextState(value);
    // The endpoint counted another conversation: somebody edited this one, or a crash came between the two files.
    const { counted: _, ...uncounted } = context ?? { compactions: 0, flushedAt: null, tokenFactor: 1 };
    const fits = messages === conversation.length;
    return new SessionMemory(files, bounds, log, { conversation, context: fits ? context : context && uncounted });
  }

  get conversation(): readonly ConversationMessage[] {
    return this.#conversation;
  }

  get context(): ContextState | undefined {
    return this.#context;
  }

  /** Resolves when it is on the disk. One after the other, in the order of the calls; what has not changed is not written again. */
  save({ conversation, context }: RememberedConversation): Promise<void> {
    this.#conversation = conversation;
    this.#context = context;
    const { text, kept } = writeConversation(conversation, this.limits.conversationBytes);
    const state = JSON.stringify({ version: 1, messages: kept, ...(context && { context }) }, undefined, 2);
    return this.#inOrder(async () => {
      await this.#write(CONVERSATION, text);
      await this.#write(CONTEXT, `${state}\n`);
    });
  }

  /** Notes of the agent for itself. It may also write the file with its tools, so it is read anew each time. */
  scratchpad(): Promise<string> {
    return readOr(this.files, SCRATCHPAD, this.limits.scratchpadBytes, this.log);
  }

  /** Replaces the notes. Rejects with a RangeError that says the limit when they are too long. */
  saveScratchpad(text: string): Promise<void> {
    const bytes = Buffer.byteLength(text);
    if (bytes > this.limits.scratchpadBytes) return Promise.reject(new RangeError(`the scratchpad takes ${this.limits.scratchpadBytes} bytes, got ${bytes}`));
    return this.#inOrder(() => this.files.write(SCRATCHPAD, text));
  }

  /** What goes into `snapshot_sync`: the newest part of it, in bounds. */
  async snapshot(): Promise<SessionMemorySnapshot> {
    const conversation = this.#conversation;
    const notes = headAndTail(await this.scratchpad(), SNAPSHOT_SCRATCHPAD_CHARS);
    return {
      short_term_memory: { conversation_md: writeConversation(conversation, SNAPSHOT_CONVERSATION_BYTES).text, scratchpad_md: notes },
      conversation_state: { messages: conversation.length, ...(this.#context && { context: this.#context }) },
    };
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#saving.then(work);
    // The next one does not care how this one went; whoever waits for this one is told.
    this.#saving = done.catch(() => undefined);
    return done;
  }

  async #write(name: string, text: string): Promise<void> {
    if (this.#written.get(name) === text) return;
    // Not known to be there until it is: a write that failed is made again.
    this.#written.delete(name);
    await this.files.write(name, text);
    this.#written.set(name, text);
  }
}

/** An endpoint refuses a call without a result: one that is gone from the file is said to be. */
function withLostResults(messages: readonly ConversationMessage[]): ConversationMessage[] {
  const answered = new Set(messages.map(({ toolCallId }) => toolCallId));
  return messages.flatMap((message) => {
    const lost = (message.toolCalls ?? []).filter(({ id }) => !answered.has(id));
    return [message, ...lost.map(({ id, name }): ConversationMessage => ({ role: 'tool', text: LOST, toolCallId: id, toolName: name, toolFailed: true }))];
  });
}

async function readOr(files: SessionFiles, name: string, maxBytes: number, log: Log): Promise<string> {
  try {
    return (await files.read(name, maxBytes)) ?? '';
  } catch (error) {
    log('warn', 'a file of the short-term memory cannot be read', { file: name, error });
    return '';
  }
}
