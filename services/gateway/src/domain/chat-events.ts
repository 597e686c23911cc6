import { type ChatMessage, textMessage } from '@plexus/client-protocol';
import type { DataOf, RunEnd, sessionContracts, StreamVerdict } from '@plexus/contracts';

export type SessionEventData = DataOf<typeof sessionContracts.sessionEvent>;

/** One event for clients, before it has a number on anybody's connection. */
export interface ClientEvent {
  readonly event: 'chat' | 'agent';
  readonly payload: Record<string, unknown>;
  /** Only for connections that announced the cap `tool-events`. */
  readonly tool?: boolean;
  /** A connection that is behind may miss it: the next one makes up for it. */
  readonly droppable?: boolean;
}

/** What the gateway keeps of the run that is going on in a session. */
export interface RunView {
  readonly runId: string;
  /** Number of the last chat event of this run. */
  readonly seq: number;
  /** We came in the middle: the text that we have is not all of it. */
  readonly partial: boolean;
}

/** Beyond this the cumulative message is left out of deltas: repeating it would cost the square of the answer's length. */
export const CUMULATIVE_LIMIT = 32_768;

const EVENT_PHASES: Readonly<Record<string, string>> = {
  tool_call_start: 'start',
  tool_call_complete: 'result',
  skill_call_start: 'start',
  skill_call_complete: 'result',
};

/** The view of a run after one more event of it. Without a view it begins; one that begins behind number 1 is partial. */
export function advanceRun(view: RunView | undefined, runId: string, runSeq: number | undefined): RunView {
  if (view === undefined) return { runId, seq: runSeq ?? 1, partial: (runSeq ?? 1) > 1 };
  return { ...view, seq: Math.max(view.seq + 1, runSeq ?? 0) };
}

/**
 * What clients are told about one session event that was let through. `view` is the run's view with this event in it, `first` says that
 * it is the first one of the run. Injected messages have no run; they appear as the final of a run of their own.
 */
export function clientEvents(
  data: SessionEventData,
  verdict: StreamVerdict,
  view: RunView | undefined,
  o: { readonly first: boolean; readonly at: number; readonly streamSeq: number },
): ClientEvent[] {
  if (verdict.kind === 'dropped' || verdict.kind === 'marker') return [];
  if (data.runId === undefined || view === undefined) return injected(data, o.at, o.streamSeq);
  const run = { runId: data.runId, sessionKey: data.sessionKey, ...(data.agentId === undefined ? {} : { agentId: data.agentId }), seq: view.seq };
  const agent = (stream: string, payload: Record<string, unknown>, more: Partial<ClientEvent> = {}): ClientEvent => ({
    event: 'agent',
    payload: { runId: run.runId, sessionKey: run.sessionKey, seq: run.seq, stream, ts: o.at, data: payload },
    ...more,
  });
  const started = o.first && !view.partial ? [agent('lifecycle', { phase: 'start', startedAt: o.at })] : [];
  if (verdict.kind === 'end') return [...started, ...endEvents(data, verdict.end, view, run, agent, o.at)];

  const { event } = data;
  switch (event.type) {
    case 'text_chunk': {
      const delta = typeof event.content === 'string' ? event.content : '';
      const whole = !view.partial && verdict.text.length <= CUMULATIVE_LIMIT;
      const message = whole ? { message: textMessage('assistant', verdict.text, o.at) } : {};
      return [
        ...started,
        { event: 'chat', payload: { ...run, state: 'delta', deltaText: delta, ...message } },
        agent('assistant', { delta, ...(whole && { text: verdict.text }) }, { droppable: true }),
      ];
    }
    case 'text_reset':
      return [...started, { event: 'chat', payload: { ...run, state: 'delta', deltaText: '', replace: true } }];
    case 'thinking':
      return [
        ...started,
        { event: 'chat', payload: { ...run, state: 'status', phase: 'thinking' }, droppable: true },
        agent('thinking', { stage: event.stage, text: event.content }, { droppable: true }),
      ];
    default: {
      const phase = EVENT_PHASES[event.type];
      if (phase === undefined) return started;
      const { type: _type, tool_name: name, tool_input: args, ...rest } = event;
      return [...started, agent('tool', { phase, name, ...(args === undefined ? {} : { args }), ...rest }, { tool: true })];
    }
  }
}

type AgentEventOf = (stream: string, payload: Record<string, unknown>) => ClientEvent;

function endEvents(data: SessionEventData, end: RunEnd, view: RunView, run: Record<string, unknown>, agent: AgentEventOf, at: number): ClientEvent[] {
  if (end.status === 'ok') {
    const whole = !view.partial || typeof data.event.content === 'string';
    const usage = isRecord(data.event.usage) ? { usage: data.event.usage } : {};
    const message: { message?: ChatMessage } = whole ? { message: textMessage('assistant', end.text, at) } : {};
    return [
      { event: 'chat', payload: { ...run, state: 'final', ...message, ...usage, stopReason: 'stop' } },
      agent('lifecycle', { phase: 'end', endedAt: at }),
    ];
  }
  if (end.status === 'cancelled') {
    return [
      { event: 'chat', payload: { ...run, state: 'aborted', stopReason: 'cancelled' } },
      agent('lifecycle', { phase: 'end', aborted: true, endedAt: at }),
    ];
  }
  const error = end.error ?? { code: 'INTERNAL', message: 'the run failed' };
  return [
    { event: 'chat', payload: { ...run, state: 'error', errorMessage: error.message, errorKind: errorKind(error.code) } },
    agent('lifecycle', { phase: 'error', error: error.message, code: error.code, endedAt: at }),
  ];
}

function injected(data: SessionEventData, at: number, streamSeq: number): ClientEvent[] {
  const { event } = data;
  if (event.type !== 'message' || typeof event.text !== 'string') return [];
  const id = typeof event.messageId === 'string' ? event.messageId : String(streamSeq);
  const message = { ...textMessage('assistant', event.text, at), ...(typeof event.label === 'string' && { label: event.label }) };
  return [{ event: 'chat', payload: { runId: `inject-${id}`, sessionKey: data.sessionKey, seq: 1, state: 'final', message } }];
}

/** The five kinds that clients know. */
export function errorKind(code: string): string {
  if (code === 'RUN_TIMEOUT' || code === 'TIMEOUT') return 'timeout';
  if (code === 'RATE_LIMITED' || code === 'QUOTA_EXCEEDED') return 'rate_limit';
  if (/CONTEXT/.test(code)) return 'context_length';
  if (/REFUS/.test(code)) return 'refusal';
  return 'unknown';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
