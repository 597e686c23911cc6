import { PlexusError } from '@plexus/kernel';
import type { GivenMessage } from './keep-sessions.js';
import type { AppendOutcome, SessionIdentity } from './session-ports.js';

/** Messages of one append. More gain nothing, and one that fails costs more. */
const MOST_TOGETHER = 64;
/** Characters of one append, unless its first message alone has more: thresholds of the context are looked at behind an append. */
const MOST_CHARACTERS = 32_768;

type Result = AppendOutcome['result'];

/** Appends messages that follow one another. */
export type AppendTranscript = (tenant: string, session: SessionIdentity, messages: readonly GivenMessage[], inOrder: boolean) => Promise<Result>;

interface Waiting {
  readonly session: SessionIdentity;
  readonly message: GivenMessage;
  readonly inOrder: boolean;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Takes messages of transcripts as they are delivered, several at a time: those of one session that come while an append of it is under way are
 * appended together, in the order of the transcript. Nobody waits for company. How many may wait is up to who delivers.
 */
export class TakeTranscripts {
  readonly #sessions = new Map<string, Waiting[]>();
  readonly #append: AppendTranscript;

  constructor(append: AppendTranscript) {
    this.#append = append;
  }

  /** `early`: its predecessor is still on its way; with `inOrder` false that no longer matters. Rejects as the append does. */
  take(tenant: string, session: SessionIdentity, message: GivenMessage, inOrder: boolean): Promise<Result> {
    return new Promise((resolve, reject) => {
      const key = JSON.stringify([tenant, session.sessionId, session.owner]);
      const waiting = this.#sessions.get(key);
      const one = { session, message, inOrder, resolve, reject };
      if (waiting !== undefined) {
        waiting.push(one);
        return;
      }
      const first = [one];
      this.#sessions.set(key, first);
      void this.#run(tenant, key, first);
    });
  }

  async #run(tenant: string, key: string, waiting: Waiting[]): Promise<void> {
    while (waiting.length > 0) await this.#settle(tenant, nextGroup(waiting));
    this.#sessions.delete(key);
  }

  /** Never fails: each message gets its result or its error. */
  async #settle(tenant: string, group: readonly Waiting[]): Promise<void> {
    const { session, inOrder } = group.at(-1) as Waiting;
    try {
      const messages = group.map(({ message }) => message);
      const result = await this.#append(tenant, session, messages, inOrder);
      for (const { resolve } of group) resolve(result);
    } catch (error) {
      // What is not about a message (the database is away) is true for all of them; one that cannot be kept must not hold up its neighbours.
      if (group.length === 1 || PlexusError.isPlexusError(error)) for (const { reject } of group) reject(error);
      else for (const one of group) await this.#settle(tenant, [one]);
    }
  }
}

/** The oldest of the transcript that wait, as far as they follow one another; one that no longer waits for its predecessor goes alone. */
function nextGroup(waiting: Waiting[]): Waiting[] {
  waiting.sort((a, b) => (a.message.sourceSeq ?? 0) - (b.message.sourceSeq ?? 0));
  let count = 0;
  let characters = 0;
  for (let before: Waiting | undefined; count < Math.min(waiting.length, MOST_TOGETHER); count += 1) {
    const next = waiting[count] as Waiting;
    characters += next.message.text.length;
    if (before !== undefined && (!follows(before, next) || characters > MOST_CHARACTERS)) break;
    before = next;
  }
  return waiting.splice(0, count);
}

function follows(before: Waiting, next: Waiting): boolean {
  if (!before.inOrder || !next.inOrder || before.message.sourceSeq === undefined || next.message.sourceSeq === undefined) return false;
  return next.message.sourceSeq - before.message.sourceSeq === 1;
}
