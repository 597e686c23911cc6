/**
 * How a running conversation stays within its model's window.
 *
 * One `ConversationWindow` a session, made when the session begins and kept through all its runs:
 *
 *     const memory = await SessionMemory.open(new MemoryFolder(folder.memory), { log });  // continues after a restart
 *     const window = new ConversationWindow({ clock, log, limits, summarise, flushMemories, state: memory.context });
 *     let conversation = memory.conversation;                                 // readonly ConversationMessage[], without the system prompt
 *
 *     // each turn; the new message only for its first model call, undefined after results of tools
 *     let prepared = await window.prepare(conversation, newMessage, { signal, fixedTokens });
 *     conversation = prepared.conversation;                                   // keep this; it holds the new message
 *     try { answer = await callModel(prepared.messages) }                     // send this
 *     catch (error) {
 *       if (classifyModelError(error).reason !== 'context_overflow') throw error;
 *       const again = await window.onOverflow(conversation, error, { signal, fixedTokens });
 *       if (again === undefined) throw contextTooLong();                      // AgentFailure CONTEXT_TOO_LONG
 *       conversation = again.conversation; …call again with again.messages, in a loop: onOverflow itself says when it is enough
 *     }
 *     window.noteUsage(usage);                                                // right after the call, before anything is appended
 *     conversation = [...conversation, answer, ...toolResults];
 *     await memory.save({ conversation, context: window.state() });           // after each step or turn
 *
 * `prepare` throws `AgentFailure` (`CONTEXT_WINDOW_TOO_SMALL`) below 16,000 tokens, and rejects with the signal's abort.
 * `summarise(prompt, signal)` and `flushMemories(request, signal)` are injected; `memoryFlushTurn({ complete, write })` makes the latter of
 * one model call with tools. `summariseWith(agent, turn)` and `completeWith(agent, turn)` make them of any `Agent`; `turn` is asked anew at
 * each call, so that they go to the model and the endpoint of the run that is going on:
 *
 *     summarise: summariseWith(model, () => currentTurn),
 *     flushMemories: memoryFlushTurn({ complete: completeWith(model, () => currentTurn), write: (memory) => calls.tell(sessionId, 'memory_write', memory) }),
 *
 * What is known of a run's model: `window.useModel(turn.model ?? '', { configuredTokens: metadata.context_window })` before `prepare`.
 */
export { newContextState, readContextState } from './context-state.js';
export { ConversationWindow } from './conversation-window.js';
export {
  type Complete,
  type Completion,
  type CompletionRequest,
  type FlushedMemory,
  MEMORY_WRITE_TOOL,
  type MemoryFlushTools,
  memoryFlushTurn,
} from './memory-flush-turn.js';
export { type SessionFiles, SessionMemory, type SessionMemorySnapshot } from './session-memory.js';
export { completeWith, summariseWith } from './side-calls.js';
export type {
  ContextNote,
  ContextPort,
  ContextState,
  ConversationMessage,
  ConversationWindowOptions,
  FlushMemories,
  FlushRequest,
  Prepared,
  PrepareOptions,
  SidePrompt,
  SummariseText,
} from './types.js';
