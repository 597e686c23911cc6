import { type Clock, systemClock } from '@plexus/kernel';
import type { Agent, ModelPiece, Turn } from '../../application/ports.js';

const PAUSE_MS = { min: 15, max: 30 };
const WORDS_PER_PIECE = 3;
/** A very long message is echoed in larger pieces, not in more of them. */
const MAX_PIECES = 200;

/** Repeats what it is told, and says that it does so because no model is configured, and how to configure one. */
export class EchoAgent implements Agent {
  constructor(
    /** What is missing, as a sentence. */
    private readonly reason: string,
    private readonly clock: Clock = systemClock,
    private readonly random: () => number = Math.random,
  ) {}

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const words = this.answer(turn.message).match(/\s*\S+|\s+$/g) ?? [];
    const perPiece = Math.max(WORDS_PER_PIECE, Math.ceil(words.length / MAX_PIECES));
    for (let at = 0; at < words.length; at += perPiece) {
      if (at > 0) await this.clock.sleep(PAUSE_MS.min + this.random() * (PAUSE_MS.max - PAUSE_MS.min), signal);
      yield { type: 'text', text: words.slice(at, at + perPiece).join('') };
    }
  }

  private answer(message: string): string {
    return (
      `You said: ${message}\n\n(I only echo: ${this.reason} To talk to a model, set PLEXUS_MODEL_BASE_URL to any OpenAI-compatible endpoint, ` +
      'for example http://127.0.0.1:11434/v1, PLEXUS_MODEL to a model that it serves, and PLEXUS_MODEL_API_KEY if it wants a key; then start Plexus again.)'
    );
  }
}

/** The sentence about what is missing before a model can be called. */
export function whyNoModel(settings: { readonly baseUrl?: string; readonly model?: string }): string {
  if (settings.baseUrl !== undefined) return 'PLEXUS_MODEL_BASE_URL is set but PLEXUS_MODEL is not, so I do not know which model to ask.';
  if (settings.model !== undefined) return 'PLEXUS_MODEL is set but PLEXUS_MODEL_BASE_URL is not, so I do not know where to find it.';
  return 'no language model is configured.';
}
