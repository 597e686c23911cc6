import type { Clock } from '@plexus/kernel';
import type { FailoverStep, ModelCandidate, ModelFailover } from '../../application/model-failover.js';
import { asOfFallback } from '../../domain/model-error.js';
import { type Agent, AgentFailure, type Log, type ModelPiece, type Turn } from '../../application/ports.js';

export interface FailoverAgentOptions {
  /** Asks the model of a turn once; throws `AgentFailure` with what the endpoint answered as its cause. */
  readonly one: Agent;
  /** Names endpoint, key and model of a turn, so that what is known of them is known to all sessions. */
  readonly identify: (turn: Turn) => string;
  readonly failover: ModelFailover;
  /** Asked at the endpoint of the turn's own model, where the turn names no fallbacks. */
  readonly defaults?: () => readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

interface Candidate extends ModelCandidate {
  readonly turn: Turn;
}

/** Codes of failures that are about a model; any other ends the run whoever could be asked. */
const OF_A_MODEL = /^MODEL_/;

/** Asks the model of a turn, and its fallbacks when it fails: again, the next one or nobody, as the reason of the failure says. */
export class FailoverAgent implements Agent {
  constructor(private readonly options: FailoverAgentOptions) {}

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const { failover, one, clock, log } = this.options;
    const candidates = this.candidates(turn);
    const run = failover.begin(candidates);
    for (;;) {
      let said = false;
      const { current } = run;
      try {
        for await (const piece of one.run(current.turn, signal)) {
          said ||= piece.type === 'text' || piece.type === 'tool_call';
          // Who answered is known here alone.
          yield piece.type === 'usage' && current.turn.model !== undefined ? { ...piece, model: piece.model ?? current.turn.model } : piece;
        }
        run.succeeded();
        return;
      } catch (error) {
        if (signal.aborted || !(error instanceof AgentFailure) || !OF_A_MODEL.test(error.code)) throw error;
        const step = run.failed(error.cause ?? error, error.message);
        const isFallback = current !== candidates[0];
        const waitMs = this.waitBefore(step, error, isFallback);
        log('warn', 'a model call failed', { model: current.name, next: step.kind, reason: 'reason' in step ? step.reason : 'context_overflow', waitMs });
        if (said) yield { type: 'reset' };
        if (waitMs > 0) await clock.sleep(waitMs, signal);
      }
    }
  }

  /** Milliseconds until the next call; throws when there is none. */
  private waitBefore(step: FailoverStep<Candidate>, failure: AgentFailure, isFallback: boolean): number {
    if (step.kind === 'retry') return step.waitMs;
    if (step.kind === 'next') return 0;
    // Its cause tells the context window how long is too long, and for whom.
    if (step.kind === 'shorten') throw isFallback ? new AgentFailure(failure.code, failure.message, { cause: asOfFallback(failure.cause) }) : failure;
    throw new AgentFailure(failure.code, step.sentence, { cause: failure.cause });
  }

  private candidates(turn: Turn): [Candidate, ...Candidate[]] {
    const { fallbacks: _, ...first } = turn;
    const { endpoint, contextTokens: __, ...rest } = first;
    const named = (this.options.defaults?.() ?? []).filter((model) => model !== turn.model);
    const fallbacks = turn.fallbacks ?? named.map((model) => ({ model, ...(endpoint && { endpoint }) }));
    return [this.candidate(first), ...fallbacks.map((fallback) => this.candidate({ ...rest, ...fallback }))];
  }

  private candidate(turn: Turn): Candidate {
    const provider = turn.endpoint?.offer.provider;
    return { id: this.options.identify(turn), name: [provider, turn.model ?? 'default'].filter((part) => part).join('/'), turn };
  }
}
