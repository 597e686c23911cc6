import { type ChatEvent, messageText } from '@plexus/client-protocol';
import { type Attached, type AttachmentInfo, textBeside } from './attachments.js';

/** One message of the transcript, as the HTTP API gives it. */
export interface TranscriptMessage {
  readonly messageId: string;
  readonly seq: number;
  readonly role: 'user' | 'assistant' | 'system' | 'tool';
  readonly text: string;
  readonly runId?: string | undefined;
  readonly label?: string | undefined;
  readonly attachments?: readonly AttachmentInfo[] | undefined;
  readonly at: string;
}

export interface Line {
  readonly key: string;
  readonly role: TranscriptMessage['role'];
  readonly text: string;
  readonly at: string | undefined;
  readonly label: string | undefined;
  /** Still being written. */
  readonly open: boolean;
  readonly failure: string | undefined;
  readonly attachments: readonly AttachmentInfo[];
  /** Files that are on their way, or that were refused. */
  readonly files: readonly Attached[];
}

interface LiveRun {
  readonly runId: string;
  readonly text: string;
  readonly phase: string | undefined;
  readonly ended: 'final' | 'aborted' | 'error' | undefined;
  readonly failure: string | undefined;
}

interface Sending {
  readonly runId: string;
  readonly text: string;
  readonly files: readonly Attached[];
  readonly failure: string | undefined;
}

/** A conversation on the screen: the transcript, what was said here and is not in it yet, and answers that are being written. */
export interface Conversation {
  readonly messages: readonly TranscriptMessage[];
  readonly sending: readonly Sending[];
  readonly runs: readonly LiveRun[];
}

export type ConversationStep =
  | { readonly kind: 'history'; readonly messages: readonly TranscriptMessage[] }
  | { readonly kind: 'say'; readonly runId: string; readonly text: string; readonly files?: readonly Attached[] }
  | { readonly kind: 'refused'; readonly runId: string; readonly failure: string }
  | { readonly kind: 'event'; readonly event: ChatEvent }
  | { readonly kind: 'clear' };

export const NOTHING_SAID: Conversation = { messages: [], sending: [], runs: [] };
/** Ends that the transcript has not shown are kept this many. */
const MAX_RUNS = 20;

export function nextConversation(state: Conversation, step: ConversationStep): Conversation {
  switch (step.kind) {
    case 'clear':
      return NOTHING_SAID;
    case 'say':
      return { ...state, sending: [...state.sending, { runId: step.runId, text: step.text, files: step.files ?? [], failure: undefined }] };
    case 'refused':
      return { ...state, sending: state.sending.map((one) => (one.runId === step.runId ? { ...one, failure: step.failure } : one)) };
    case 'history':
      return withHistory(state, step.messages);
    case 'event':
      return { ...state, runs: withEvent(state.runs, step.event) };
  }
}

function withHistory(state: Conversation, messages: readonly TranscriptMessage[]): Conversation {
  const asked = new Set(messages.flatMap(({ role, runId }) => (role === 'user' && runId !== undefined ? [runId] : [])));
  const answered = new Set(messages.flatMap(({ role, runId }) => (role === 'assistant' && runId !== undefined ? [runId] : [])));
  return {
    messages,
    sending: state.sending.filter(({ runId }) => !asked.has(runId)),
    runs: state.runs.filter(({ runId, ended }) => !(answered.has(runId) && ended !== undefined && ended !== 'error')),
  };
}

function withEvent(runs: readonly LiveRun[], event: ChatEvent): readonly LiveRun[] {
  const before = runs.find(({ runId }) => runId === event.runId) ?? { runId: event.runId, text: '', phase: undefined, ended: undefined, failure: undefined };
  if (before.ended !== undefined) return runs;
  const after = afterEvent(before, event);
  const known = runs.some(({ runId }) => runId === event.runId);
  return known ? runs.map((run) => (run === before ? after : run)) : [...runs.slice(-MAX_RUNS + 1), after];
}

function afterEvent(run: LiveRun, event: ChatEvent): LiveRun {
  switch (event.state) {
    case 'status':
      return { ...run, phase: event.phase };
    case 'delta':
      // What was said so far wins over the piece: after a gap the pieces alone would leave a hole.
      return {
        ...run,
        phase: undefined,
        text: event.message !== undefined ? messageText(event.message) : event.replace ? event.deltaText : run.text + event.deltaText,
      };
    case 'final':
      return { ...run, phase: undefined, text: event.message === undefined ? run.text : messageText(event.message), ended: 'final' };
    case 'aborted':
      return { ...run, phase: undefined, ended: 'aborted' };
    case 'error':
      return { ...run, phase: undefined, ended: 'error', failure: event.errorMessage ?? event.errorKind ?? 'error' };
  }
}

/** The run that can be stopped now. `active`: what the list of sessions says is going on; after a reload it is known before the first piece of an answer. */
export function openRun(state: Conversation, active?: string): string | undefined {
  const open = state.runs.findLast(({ ended }) => ended === undefined);
  const ended = new Set([
    ...state.runs.filter((run) => run.ended !== undefined).map(({ runId }) => runId),
    ...state.messages.flatMap(({ role, runId }) => (role === 'assistant' && runId !== undefined ? [runId] : [])),
  ]);
  const said = open?.runId ?? state.sending.findLast(({ runId, failure }) => failure === undefined && !ended.has(runId))?.runId;
  return said ?? (active !== undefined && !ended.has(active) ? active : undefined);
}

/** Typed instead of a message it ends what the agent does, as in the chats that people know agents from. */
export const isStop = (text: string): boolean => /^\/stop$/i.test(text.trim());

/** What is being written at this moment, for those who listen; undefined: nothing. */
export function openText(state: Conversation): string | undefined {
  return state.runs.findLast(({ ended }) => ended === undefined)?.text;
}

/** Everything in the order in which it is read. */
export function linesOf(state: Conversation): readonly Line[] {
  const said = state.messages.map(lineOf);
  const inTranscript = new Set(state.messages.flatMap(({ role, runId }) => (role === 'assistant' && runId !== undefined ? [runId] : [])));
  const live = (run: LiveRun): Line => ({
    ...lineBase,
    key: `run-${run.runId}`,
    role: 'assistant',
    text: run.text,
    open: run.ended === undefined,
    failure: run.failure,
    label: run.ended === 'aborted' ? 'stopped' : run.phase,
  });
  const rest = state.runs.filter(({ runId, failure }) => !inTranscript.has(runId) || failure !== undefined);
  const sent = state.sending.flatMap(({ runId, text, files, failure }): Line[] => {
    const answer = rest.find((run) => run.runId === runId);
    return [{ ...lineBase, key: `say-${runId}`, role: 'user', text, files, failure }, ...(answer ? [live(answer)] : [])];
  });
  const sentIds = new Set(state.sending.map(({ runId }) => runId));
  return [...said, ...rest.filter(({ runId }) => !sentIds.has(runId)).map(live), ...sent];
}

const lineBase = { at: undefined, label: undefined, open: false, failure: undefined, attachments: [], files: [] } as const;

function lineOf({ messageId, role, text, at, label, attachments = [] }: TranscriptMessage): Line {
  return { ...lineBase, key: messageId, role, text: textBeside(text, attachments), at, label, attachments };
}
