import type { Clock } from '@plexus/kernel';
import type { MeshCalls } from './mesh-calls.js';
import type { Agent, AgentTurn, Log, ModelPiece, Turn } from './ports.js';

export interface MeteredAgentOptions {
  readonly agent: Agent;
  readonly calls: Pick<MeshCalls, 'tell'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Tells the mesh what each model call of a session used up (`usage_report`), and passes everything on as it is. */
export class MeteredAgent implements Agent {
  constructor(private readonly options: MeteredAgentOptions) {}

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const { agent, clock } = this.options;
    // Only turns of a session say whose they are.
    const { sessionId, runId } = turn as Partial<AgentTurn>;
    let beganAt = clock.monotonic();
    for await (const piece of agent.run(turn, signal)) {
      if (piece.type === 'reset') beganAt = clock.monotonic();
      if (piece.type === 'usage' && sessionId !== undefined) this.report({ sessionId, runId }, turn, piece, clock.monotonic() - beganAt);
      yield piece;
    }
  }

  private report(
    { sessionId, runId }: { sessionId: string; runId: string | undefined },
    turn: Turn,
    { usage, model, cached }: Extract<ModelPiece, { type: 'usage' }>,
    latencyMs: number,
  ): void {
    const params = {
      model: (model ?? turn.model ?? 'default').slice(0, 256),
      tokens_in: usage.input_tokens,
      tokens_out: usage.output_tokens,
      latency_ms: Math.round(latencyMs),
      ...(runId !== undefined && { run_id: runId }),
      ...(cached && { cache_read_tokens: cached.read, cache_write_tokens: cached.written }),
    };
    // Not waited for: an answer is not held up by the book-keeping about it.
    this.options.calls.tell(sessionId, 'usage_report', params).catch((error: unknown) => {
      this.options.log('warn', 'usage of a model call could not be reported', { sessionId, error });
    });
  }
}
