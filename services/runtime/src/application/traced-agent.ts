import { type Agent, AgentFailure, type AgentTurn, type ModelPiece, type Turn } from './ports.js';
import type { RunTraces } from './run-traces.js';

/** Makes a span of each model call of a traced run, with what it used up and without what was said. */
export class TracedAgent implements Agent {
  constructor(
    private readonly inner: Agent,
    private readonly traces: RunTraces,
    /** The model of turns that name none. */
    private readonly defaultModel: string | undefined,
  ) {}

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const model = turn.model ?? this.defaultModel;
    const span = this.traces.within(turn as Partial<AgentTurn>, 'chat', { model, provider: turn.endpoint?.offer.provider });
    if (span === undefined) {
      yield* this.inner.run(turn, signal);
      return;
    }
    try {
      for await (const piece of this.inner.run(turn, signal)) {
        if (piece.type === 'usage') span.set({ ...piece.usage, ...(piece.model !== undefined && { model: piece.model }) });
        yield piece;
      }
    } catch (error) {
      span.end(signal.aborted ? 'ABORTED' : error instanceof AgentFailure ? error.code : 'INTERNAL');
      throw error;
    } finally {
      span.end(signal.aborted ? 'ABORTED' : undefined);
    }
  }
}
