/**
 * How a running conversation stays within its model's window.
 *
 * One `ConversationWindow` a session, made when the session begins and kept through all its runs:
 *
 *     const memory = await SessionMemory.open(files, { clock, log });         // the session's folder; continues after a restart
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
 * one model call with tools; `sideCalls` in `adapters/model/side-calls.ts` makes both of an OpenAI-compatible endpoint.
 */
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
