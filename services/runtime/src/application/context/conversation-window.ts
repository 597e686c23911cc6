import {
  compactionThreshold,
  FLUSH_DEFAULTS,
  type FlushSettings,
  flushPrompts,
  groupsOf,
  pruneToolResults,
  SAFETY_FACTOR,
  stepsBeforeTurn,
  TurnCompactions,
  type TurnStep,
  type Window,
  type WindowSources,
  windowFor,
} from '@plexus/context-window';
import type { Usage } from '@plexus/vm-protocol';
import { isOfFallback, limitNamedBy } from '../../domain/model-error.js';
import { AgentFailure } from '../ports.js';
import { Compactor } from './compactor.js';
import { learnedLimit, newContextState } from './context-state.js';
import { type FittedRequest, fitRequest } from './fit-request.js';
import { factorFrom, isCredible, storedTokens, tokensOf, transcriptBytes } from './token-count.js';
import type { ContextNote, ContextPort, ContextState, ConversationMessage, ConversationWindowOptions, Prepared, PrepareOptions } from './types.js';

/** An endpoint that refuses the length so often in one turn counts otherwise than we can: the run ends. */
const MAX_OVERFLOWS = 3;
/** After a compaction that freed next to nothing the next one waits until there is so much more. */
const WORTH_ANOTHER_TRY = 1.05;

type Messages = readonly ConversationMessage[];

/** What the last request carried, to be compared with what the endpoint counts. */
interface LastRequest {
  readonly estimate: number;
  readonly messages: number;
  readonly isWhole: boolean;
}

/** Keeps one conversation within the window of its model. One call at a time. */
export class ConversationWindow implements ContextPort {
  #state: ContextState;
  #limits: WindowSources;
  #turn = new TurnCompactions();
  #overflows = 0;
  /** Limit of a fallback that refused in this turn. */
  #turnTokens: number | undefined;
  #flushedSinceAnswer = false;
  #insideStep = false;
  #warned = false;
  #last: LastRequest | undefined;
  readonly #compactor: Compactor;
  /** What became of a result of a tool: once pruned it stays so, or the endpoint's cache would be cold at every second call. */
  readonly #pruned = new WeakMap<ConversationMessage, ConversationMessage>();

  constructor(private readonly options: ConversationWindowOptions) {
    this.#state = options.state ?? newContextState();
    this.#limits = options.limits ?? {};
    this.#compactor = new Compactor(options);
  }

  get window(): Window {
    const { learnedTokens } = this.#state;
    const known = [this.#limits.reportedTokens, learnedTokens, this.#turnTokens].filter((tokens) => tokens !== undefined);
    return windowFor({ ...this.#limits, ...(known.length > 0 && { reportedTokens: Math.min(...known) }) });
  }

  state(): ContextState {
    return this.#state;
  }

  useModel(id: string, limits: WindowSources): void {
    this.#limits = limits;
    if (this.#state.modelId === id) return;
    const { compactions, flushedAt } = this.#state;
    // What one endpoint counted and refused says nothing about another; a state without a model is new or from before there was one.
    this.#state = this.#state.modelId === undefined ? { ...this.#state, modelId: id } : { ...newContextState(), compactions, flushedAt, modelId: id };
  }

  async prepare(conversation: Messages, newMessage: ConversationMessage | undefined, options: PrepareOptions): Promise<Prepared> {
    options.signal.throwIfAborted();
    const notes: ContextNote[] = [];
    if (newMessage !== undefined && !this.#insideStep) this.#beginTurn();
    this.#checkWindow(notes);
    this.#prune(conversation, notes);
    const fresh = newMessage === undefined ? [] : [newMessage];
    let kept = conversation;
    // Inside a flush or a compaction nothing else may begin.
    const steps = this.#insideStep ? [] : this.#stepsFor(conversation, fresh, options.fixedTokens ?? 0);
    if (steps.includes('flush')) await this.#flush(conversation, options.signal, notes);
    if (steps.includes('compact')) kept = await this.#compact(conversation, fresh, options, notes);
    return this.#request(kept, fresh, options, notes, 1);
  }

  noteUsage({ input_tokens: input, output_tokens: output }: Usage): void {
    const last = this.#last;
    // Whatever comes now is new: worth a flush of its own cycle, and refusals are counted anew.
    this.#flushedSinceAnswer = false;
    this.#overflows = 0;
    if (last === undefined || !isCredible(input, last.estimate)) return;
    const tokenFactor = factorFrom(input, last.estimate, this.#state.tokenFactor);
    const counted = last.isWhole ? { tokens: input, answerTokens: Math.max(0, output), messages: last.messages } : undefined;
    const { counted: _, ...state } = this.#state;
    this.#state = { ...state, tokenFactor, lastCacheTouchMs: this.options.clock.now(), ...(counted && { counted }) };
  }

  async onOverflow(conversation: Messages, error: unknown, options: PrepareOptions): Promise<Prepared | undefined> {
    options.signal.throwIfAborted();
    const before = this.#last;
    this.#overflows += 1;
    if (this.#insideStep || before === undefined || this.#overflows > MAX_OVERFLOWS) return undefined;
    const notes: ContextNote[] = [];
    this.#learn(error, before, notes);
    this.#checkWindow(notes);
    const steps = this.#turn.onOverflow(this.#state, this.#flushSettings());
    if (steps.includes('flush')) await this.#flush(conversation, options.signal, notes);
    const kept = steps.includes('compact') ? await this.#compact(conversation, [], options, notes) : conversation;
    try {
      const prepared = this.#request(kept, [], options, notes, SAFETY_FACTOR ** this.#overflows);
      // The same request again would be refused again.
      return this.#last !== undefined && this.#last.estimate < before.estimate ? prepared : undefined;
    } catch (failure) {
      if (failure instanceof AgentFailure && failure.code === 'CONTEXT_TOO_LONG') return undefined;
      throw failure;
    }
  }

  #beginTurn(): void {
    this.#turn = new TurnCompactions();
    this.#overflows = 0;
    this.#turnTokens = undefined;
    this.#flushedSinceAnswer = false;
  }

  #checkWindow(notes: ContextNote[]): void {
    const { verdict, tokens } = this.window;
    if (verdict === 'too-small') {
      throw new AgentFailure(
        'CONTEXT_WINDOW_TOO_SMALL',
        `The window of the model is ${tokens} tokens; an agent needs at least 16000. Choose another model, or start its server with a larger context.`,
      );
    }
    if (verdict !== 'small' || this.#warned) return;
    this.#warned = true;
    notes.push({ kind: 'small_window', tokens });
    this.options.log('warn', 'the window of the model is small', { tokens });
  }

  #flushSettings(): FlushSettings {
    const settings = { ...FLUSH_DEFAULTS, ...this.options.flush };
    return { ...settings, enabled: settings.enabled && this.options.flushMemories !== undefined };
  }

  #stepsFor(conversation: Messages, fresh: Messages, fixedTokens: number): TurnStep[] {
    const load = {
      storedTokens: storedTokens(this.#effective(conversation), fixedTokens, this.#state),
      newTokens: tokensOf(fresh, this.#state.tokenFactor),
      transcriptBytes: transcriptBytes(conversation),
    };
    const steps = stepsBeforeTurn(this.#state, load, this.window, this.#flushSettings());
    const isFutile = load.storedTokens + load.newTokens < (this.#state.futileAtTokens ?? 0) * WORTH_ANOTHER_TRY;
    const maySo = !isFutile && this.#turn.onOverflow(this.#state, this.#flushSettings()).length > 0;
    return steps.filter((step) => step !== 'compact' || maySo);
  }

  #effective(messages: Messages): Messages {
    return messages.map((message) => this.#pruned.get(message) ?? message);
  }

  #prune(conversation: Messages, notes: ContextNote[]): void {
    const effective = this.#effective(conversation);
    const { lastCacheTouchMs } = this.#state;
    const occasion = { windowTokens: this.window.tokens, nowMs: this.options.clock.now(), ...(lastCacheTouchMs !== undefined && { lastCacheTouchMs }) };
    const { messages, trimmed, cleared } = pruneToolResults(effective, occasion, this.options.prune);
    if (trimmed + cleared === 0) return;
    for (const [index, message] of messages.entries()) {
      if (message !== effective[index]) this.#pruned.set(conversation[index] as ConversationMessage, message);
    }
    this.#forgetCount();
    notes.push({ kind: 'pruned', trimmed, cleared });
  }

  async #flush(conversation: Messages, signal: AbortSignal, notes: ContextNote[]): Promise<void> {
    const { flushMemories, clock, timeZone = 'UTC', log } = this.options;
    const flushedAt = this.#state.compactions;
    if (flushMemories === undefined || this.#flushedSinceAnswer) {
      // Nothing was said since: the flush before has seen what this cycle would drop.
      this.#state = { ...this.#state, flushedAt };
      return;
    }
    const prompt = flushPrompts(dateIn(timeZone, clock.now()));
    const messages = this.#effective(conversation);
    const room = compactionThreshold(this.window) / SAFETY_FACTOR;
    const { tokenFactor } = this.#state;
    // A newest message that fills the window alone would leave nothing of what is about to be dropped.
    const fitted = fitRequest(messages, room, tokenFactor) ?? fitRequest(groupsOf(messages).slice(0, -1).flat(), room, tokenFactor);
    this.#flushedSinceAnswer = true;
    try {
      if (fitted === undefined) throw new Error('its newest messages are larger than the window');
      const { written } = await this.#inside(() => flushMemories({ prompt, messages: fitted.messages }, signal));
      notes.push({ kind: 'flushed', written });
    } catch (error) {
      signal.throwIfAborted();
      // One try a cycle: an endpoint that fails here would otherwise be asked before every turn.
      notes.push({ kind: 'flush_failed', reason: sentenceOf(error) });
      log('warn', 'memories could not be flushed', { error });
    }
    this.#state = { ...this.#state, flushedAt };
  }

  async #compact(conversation: Messages, fresh: Messages, { signal, fixedTokens = 0 }: PrepareOptions, notes: ContextNote[]): Promise<Messages> {
    const factor = this.#state.tokenFactor;
    const tokensBefore = tokensOf([...conversation, ...fresh], factor) + fixedTokens;
    const outcome = await this.#inside(() =>
      this.#compactor.compact(
        {
          conversation,
          effective: this.#effective(conversation),
          tokensBefore,
          windowTokens: this.window.tokens,
          attempt: this.#overflows,
          keepLast: fresh.length === 0,
        },
        signal,
      ),
    );
    const after = outcome.kind === 'done' ? tokensOf([...outcome.conversation, ...fresh], factor) + fixedTokens : tokensBefore;
    this.#turn.compacted(tokensBefore, after);
    if (outcome.kind === 'failed') {
      notes.push({ kind: 'compaction_failed', reason: outcome.reason });
      return conversation;
    }
    if (!this.#mayRepeat()) {
      // What it would replace is worth more than the little room.
      this.#state = { ...this.#state, futileAtTokens: tokensBefore };
      notes.push({ kind: 'compaction_failed', reason: 'it would have freed less than 5 %' });
      return conversation;
    }
    const { futileAtTokens: _, ...state } = this.#state;
    this.#state = { ...state, compactions: state.compactions + 1 };
    this.#forgetCount();
    notes.push({ kind: 'compacted', tokensBefore, tokensAfter: after, summarised: outcome.summarised });
    return outcome.conversation;
  }

  #mayRepeat(): boolean {
    return this.#turn.onOverflow(this.#state, { ...this.#flushSettings(), enabled: false }).length > 0;
  }

  async #inside<T>(step: () => Promise<T>): Promise<T> {
    this.#insideStep = true;
    try {
      return await step();
    } finally {
      this.#insideStep = false;
    }
  }

  /** Puts the request together. `margin` is what estimates are taken to be off by. */
  #request(kept: Messages, fresh: Messages, { fixedTokens = 0 }: PrepareOptions, notes: ContextNote[], margin: number): Prepared {
    const conversation = [...kept, ...fresh];
    const messages = [...this.#effective(kept), ...fresh];
    const { tokens } = this.window;
    const room = compactionThreshold(this.window) / margin - fixedTokens;
    const isWithin = margin === 1 && storedTokens(messages, fixedTokens, this.#state) <= compactionThreshold(this.window);
    const fitted: FittedRequest | undefined = isWithin ? { messages, leftOut: 0, shortened: 0 } : fitRequest(messages, room, this.#state.tokenFactor);
    if (fitted === undefined) {
      throw new AgentFailure(
        'CONTEXT_TOO_LONG',
        `The message does not fit into the window of the model (${tokens} tokens), even without what was said before. Send less at once, or choose a model with a larger window.`,
      );
    }
    if (fitted.leftOut + fitted.shortened > 0) {
      notes.push({ kind: 'left_out', messages: fitted.leftOut });
      this.options.log('info', 'not everything fits into the window of the model', { leftOut: fitted.leftOut, shortened: fitted.shortened });
    }
    if (!this.#insideStep) {
      const isWhole = fitted.leftOut + fitted.shortened === 0;
      this.#last = { estimate: tokensOf(fitted.messages, 1) + fixedTokens, messages: conversation.length, isWhole };
      this.#state = { ...this.#state, lastCacheTouchMs: this.options.clock.now() };
    }
    return { messages: fitted.messages, conversation, notes };
  }

  #learn(error: unknown, { estimate }: LastRequest, notes: ContextNote[]): void {
    const before = this.window.tokens;
    const [named, sent] = [limitNamedBy(error), Math.ceil(estimate * this.#state.tokenFactor)];
    // A fallback's limit holds while the turn may go on with it, and is none of the model that is asked first.
    if (isOfFallback(error)) this.#turnTokens = learnedLimit(this.#turnTokens, named, sent);
    else this.#state = { ...this.#state, learnedTokens: learnedLimit(this.#state.learnedTokens, named, sent) };
    const { tokens } = this.window;
    if (tokens < before) notes.push({ kind: 'limit_learned', tokens });
    this.options.log('warn', 'the endpoint refused the length of a request', { estimate, windowBefore: before, window: tokens });
  }

  /** The stored conversation is no longer what was counted. */
  #forgetCount(): void {
    const { counted: _, ...state } = this.#state;
    this.#state = state;
  }
}

/** Today, as `2026-11-21`. An unknown time zone is UTC. */
function dateIn(timeZone: string, nowMs: number): string {
  const format = (zone: string) => new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(nowMs);
  try {
    return format(timeZone);
  } catch (error) {
    if (error instanceof RangeError) return format('UTC');
    throw error;
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 300) : 'unknown';
}
