import { type GatewayClient, GatewayError } from '@plexus/client-protocol';
import { fullJitter } from '@plexus/kernel';
import { z } from 'zod';
import type { AccountPort } from '../kit/channel-adapter.js';
import type { UpstreamSettings } from './settings.js';
import type { TurnLimit } from './turn-limit.js';

const Note = z.object({ runId: z.string(), session: z.string(), message: z.string(), sentAt: z.number() });
type Note = z.output<typeof Note>;

const RECEIVE_BACKOFF = { baseMs: 500, capMs: 10_000 };

/** Answers to our own messages: noted before the message is sent, so that a crash in between costs no answer. */
export class AwaitedAnswers {
  private readonly runs = new Set<string>();

  constructor(
    private readonly port: AccountPort<UpstreamSettings>,
    private readonly client: GatewayClient,
    private readonly turns: TurnLimit,
  ) {}

  /** True for a run that one of our messages started. */
  has(runId: string): boolean {
    return this.runs.has(runId);
  }

  async expect(runId: string, session: string, message: string): Promise<Note> {
    const note = { runId, session, message, sentAt: this.port.clock.now() };
    this.runs.add(runId);
    await this.port.notes.put(runId, note);
    return note;
  }

  async forget(runId: string): Promise<void> {
    this.runs.delete(runId);
    await this.port.notes.delete(runId);
  }

  /** Goes on waiting for what an earlier process waited for. */
  async resume(): Promise<void> {
    for (const value of await this.port.notes.list()) {
      const note = Note.safeParse(value);
      if (!note.success) continue;
      this.runs.add(note.data.runId);
      this.await(note.data);
    }
  }

  /** Waits in the background. The message is sent again under its key, which continues the same run. */
  await(note: Note): void {
    this.take(note).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      // A closed client means that the account stops: the note stays, and the next connection goes on.
      if (!this.port.signal.aborted)
        this.port.log.warn({ runId: note.runId, session: note.session, reason }, 'an answer of the upstream gateway is not awaited any more');
    });
  }

  private async take(note: Note): Promise<void> {
    const { runId, session, message } = note;
    try {
      for await (const piece of this.client.chatSend({ sessionKey: session, message, idempotencyKey: runId })) {
        if (piece.type === 'final' && piece.text.trim() !== '') await this.bringIn(session, runId, piece.text);
      }
    } catch (error) {
      const closed = error instanceof GatewayError && error.detailCode === 'CLIENT_CLOSED';
      if (closed || this.port.signal.aborted) return;
      await this.forget(runId);
      throw error;
    }
    await this.forget(runId);
  }

  private async bringIn(session: string, runId: string, text: string): Promise<void> {
    const { port } = this;
    if (!this.turns.take(session, port.clock.now())) {
      port.log.warn({ session, runId, maxTurns: port.settings.maxTurns }, 'two agents answer each other; this answer is left out');
      return;
    }
    for (let attempt = 0; ; attempt += 1) {
      try {
        await port.receive(answerOf(session, runId, text, port.clock.now()));
        return;
      } catch (error) {
        if (port.signal.aborted) throw error;
        await port.clock.sleep(200 + fullJitter(attempt, RECEIVE_BACKOFF), port.signal);
      }
    }
  }
}

/** An answer of an upstream agent as a message to us. The session is chat and sender in one: each is a conversation of its own, and is admitted by itself. */
export function answerOf(session: string, runId: string, text: string, now: number, agentId?: string) {
  return {
    messageId: runId.slice(0, 200),
    chat: { kind: 'dm' as const, id: session },
    sender: { id: session, ...(agentId && { name: agentId.slice(0, 256) }) },
    text,
    mentionsBot: true,
    receivedAt: new Date(now).toISOString(),
  };
}
