import { type Clock, fullJitter, systemClock, timeout } from '@plexus/kernel';
import { estimateTokens, fitHistory, type Window, windowFor } from '@plexus/context-window';
import type { ModelMessage } from 'ai';
import { type Agent, AgentFailure, type CachedInput, type Log, type ModelPiece, type Turn } from '../../application/ports.js';
import { modelMessages, offeredTools } from './model-messages.js';
import { readModelFailure } from './model-failure.js';

export interface ModelAgentOptions {
  /** Up to and without `/chat/completions`. */
  readonly baseUrl: string;
  /** Used when neither the session nor the message names one. */
  readonly model: string;
  readonly apiKey?: string;
  /** Its name in the configuration; absent: the endpoint is that of PLEXUS_MODEL_BASE_URL. */
  readonly provider?: string;
  readonly log: Log;
  /** Waited for before every call, also a repeated one: nothing new is begun while the mesh cannot be reached. */
  readonly beforeCall: (signal: AbortSignal) => Promise<void>;
  /** Silence of the endpoint, before or within its answer, that counts as a failure. */
  readonly silenceMs?: number;
  readonly attempts?: number;
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
  readonly window?: Window;
  readonly clock?: Clock;
}

type Role = 'user' | 'assistant';

/** Why the input of a call could not be read, in words for the model. */
const problemOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 1_000);

/** Undefined where the endpoint says nothing about its cache. */
function cachedOf(
  details: { readonly cacheReadTokens?: number | undefined; readonly cacheWriteTokens?: number | undefined } | undefined,
): CachedInput | undefined {
  const { cacheReadTokens: read = 0, cacheWriteTokens: written = 0 } = details ?? {};
  return read > 0 || written > 0 ? { read, written } : undefined;
}

/** Streams answers of any OpenAI-compatible endpoint. Tries again when that can help; what was said before is then void (`reset`). */
export class ModelAgent implements Agent {
  private readonly options: Required<Omit<ModelAgentOptions, 'apiKey' | 'provider'>> & Pick<ModelAgentOptions, 'apiKey' | 'provider'>;

  constructor(options: ModelAgentOptions) {
    this.options = { silenceMs: 120_000, attempts: 4, backoff: { baseMs: 500, capMs: 8_000 }, window: windowFor(), clock: systemClock, ...options };
  }

  async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const { attempts, backoff, clock, log, baseUrl, provider, apiKey } = this.options;
    const model = turn.model ?? this.options.model;
    for (let attempt = 0; ; attempt++) {
      let said = false;
      try {
        await this.options.beforeCall(signal);
        for await (const piece of this.call(turn, model, signal)) {
          said ||= piece.type === 'text' || piece.type === 'tool_call';
          yield piece;
        }
        return;
      } catch (error) {
        if (signal.aborted || error instanceof AgentFailure) throw error;
        const failure = readModelFailure(error, { baseUrl, model, provider, apiKey });
        if (!failure.retryable || attempt + 1 >= attempts) throw new AgentFailure('MODEL_UNAVAILABLE', failure.sentence, { cause: error });
        const waitMs = Math.max(fullJitter(attempt, backoff), failure.retryAfterMs ?? 0);
        log('warn', 'model call failed, trying again', { attempt: attempt + 1, of: attempts, waitMs, reason: failure.sentence });
        if (said) yield { type: 'reset' };
        await clock.sleep(waitMs, signal);
      }
    }
  }

  private async *call(turn: Turn, modelName: string, signal: AbortSignal): AsyncGenerator<ModelPiece> {
    const { baseUrl, apiKey, silenceMs, clock } = this.options;
    // Loaded on first use: a runtime without a model never pays its 30 MB.
    const [{ streamText, jsonSchema }, { createOpenAICompatible }] = await Promise.all([import('ai'), import('@ai-sdk/openai-compatible')]);
    (globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false;
    const provider = createOpenAICompatible({ name: 'plexus', baseURL: baseUrl, apiKey, includeUsage: true });
    const stop = new AbortController();
    const { instructions, messages } = this.conversation(turn);
    const result = streamText({
      model: provider.chatModel(modelName),
      ...(instructions && { instructions }),
      messages,
      ...(turn.tools?.length && { tools: offeredTools(turn.tools, jsonSchema) }),
      temperature: turn.temperature,
      maxOutputTokens: turn.maxTokens,
      // Ours: they are logged, bounded together, and void what was said.
      maxRetries: 0,
      abortSignal: AbortSignal.any([signal, stop.signal]),
      onError: () => undefined,
    });
    const parts = result.fullStream[Symbol.asyncIterator]();
    let said = false;
    try {
      for (;;) {
        const next = await timeout(parts.next(), silenceMs, { signal, clock, what: 'model' });
        if (next.done) return;
        const part = next.value;
        if (part.type === 'error') throw part.error;
        if (part.type === 'text-delta' && part.text !== '') {
          said = true;
          yield { type: 'text', text: part.text };
        } else if (part.type === 'reasoning-delta' && part.text !== '') {
          yield { type: 'thinking', text: part.text };
        } else if (part.type === 'tool-call') {
          said = true;
          const { toolCallId: callId, toolName, input } = part;
          yield { type: 'tool_call', callId, toolName, input, ...(part.invalid && { problem: problemOf(part.error) }) };
        } else if (part.type === 'finish') {
          // After results of tools a model may have nothing to add.
          if (!said && turn.conversation?.at(-1)?.role !== 'tool')
            throw new AgentFailure('MODEL_UNAVAILABLE', `The model ended its answer without a word (finish reason: ${part.finishReason}).`);
          const { inputTokens, outputTokens, inputTokenDetails } = part.totalUsage;
          const cached = cachedOf(inputTokenDetails);
          if (inputTokens !== undefined || outputTokens !== undefined)
            yield { type: 'usage', usage: { input_tokens: inputTokens ?? 0, output_tokens: outputTokens ?? 0 }, model: modelName, ...(cached && { cached }) };
        }
      }
    } finally {
      // Closes the request when the reader stops early.
      stop.abort();
    }
  }

  private conversation(turn: Turn): { instructions: string; messages: ModelMessage[] } {
    const { window, log } = this.options;
    const instructions = [turn.systemPrompt, ...turn.history.filter((one) => one.role === 'system').map((one) => one.text)].filter((part) => part).join('\n\n');
    if (turn.conversation) return { instructions, messages: modelMessages(turn.conversation, turn.pictureBytes) };
    const history = turn.history.filter((one): one is { role: Role; text: string } => (one.role === 'user' || one.role === 'assistant') && one.text !== '');
    const fitted = fitHistory(history, window, estimateTokens(instructions) + estimateTokens(turn.message));
    if (fitted.dropped > 0) log('info', 'older messages left out, they do not fit', { dropped: fitted.dropped, kept: fitted.messages.length });
    return { instructions, messages: [...fitted.messages.map(({ role, text }) => ({ role, content: text })), { role: 'user', content: turn.message }] };
  }
}
