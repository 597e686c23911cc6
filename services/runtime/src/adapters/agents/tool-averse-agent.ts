import { type Agent, AgentFailure, type Log, type ModelPiece, type Turn } from '../../application/ports.js';

/** How endpoints say that a model cannot be given tools. */
const REFUSALS =
  /does not support (tools|tool|function)|(tools?|functions?|tool[ _-]?(use|call\w*|choice)|function[ _-]?call\w*) (is|are) not (supported|available|enabled)/i;
/** Models that are remembered; beyond that the oldest is asked once more. */
const MAX_REMEMBERED = 1_000;

/** Asks models that cannot use tools without any: who has only such a model can still talk to it. */
export class ToolAverseAgent implements Agent {
  private readonly averse = new Set<string>();

  constructor(
    private readonly inner: Agent,
    private readonly log: Log,
  ) {}

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const { tools: _, ...without } = turn;
    if (!turn.tools?.length || this.averse.has(keyOf(turn))) {
      yield* this.inner.run(without, signal);
      return;
    }
    let said = false;
    try {
      for await (const piece of this.inner.run(turn, signal)) {
        said = true;
        yield piece;
      }
    } catch (error) {
      if (said || signal.aborted || !(error instanceof AgentFailure) || !REFUSALS.test(`${error.message} ${responseOf(error.cause)}`)) throw error;
      this.remember(keyOf(turn));
      this.log('warn', 'the model cannot use tools, it is asked without any', { model: turn.model });
      yield* this.inner.run(without, signal);
    }
  }

  private remember(key: string): void {
    this.averse.add(key);
    const [oldest] = this.averse;
    if (this.averse.size > MAX_REMEMBERED && oldest !== undefined) this.averse.delete(oldest);
  }
}

const keyOf = ({ endpoint, model }: Turn): string => `${endpoint?.offer.provider ?? ''}/${model ?? ''}`;

/** What the endpoint answered; the sentence quotes only a part of it. */
function responseOf(cause: unknown): string {
  const body = cause !== null && typeof cause === 'object' ? (cause as { responseBody?: unknown }).responseBody : undefined;
  return typeof body === 'string' ? body.slice(0, 4_096) : '';
}
