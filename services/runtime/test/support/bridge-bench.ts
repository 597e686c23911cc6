import { FakeClock } from '@plexus/kernel';
import { StartSessionData } from '@plexus/vm-protocol';
import { AgentFailure, type AgentPiece, type AgentSession, type AgentTurn } from '../../src/application/ports.js';
import type { BridgeHandlers } from '../../src/adapters/openclaw/bridge-process.js';
import { OpenClawAdapter, type OpenClawAdapterOptions } from '../../src/adapters/openclaw/openclaw-adapter.js';

type Said = { type: string; [field: string]: unknown };

/** A bridge that only notes what it is told; the test speaks for it. */
export class FakeChild {
  readonly told: Said[] = [];
  readonly signals: string[] = [];
  paused = false;
  inputEnded = false;
  takes = true;
  alive = true;

  constructor(readonly handlers: BridgeHandlers) {}

  write(line: string): boolean {
    if (this.takes) this.told.push(JSON.parse(line) as Said);
    return this.takes;
  }
  endInput(): void {
    this.inputEnded = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  kill(signal: string): void {
    this.signals.push(signal);
  }

  says(line: unknown): void {
    const text = typeof line === 'string' ? line : JSON.stringify(line);
    if (this.alive) this.handlers.line({ kind: 'text', text, bytes: text.length });
  }
  event(type: string, fields: Record<string, unknown> = {}, runId = 'r1', sessionId = 's1'): void {
    this.says({ type, session_id: sessionId, run_id: runId, ...fields });
  }
  exit(code: number | null = 1): void {
    if (!this.alive) return;
    this.alive = false;
    this.handlers.exit({ code, signal: null });
  }
  of(type: string): Said[] {
    return this.told.filter((one) => one.type === type);
  }
}

export function bench(options: Partial<OpenClawAdapterOptions> = {}) {
  const clock = new FakeClock();
  const children: FakeChild[] = [];
  const logged: string[] = [];
  const adapter = new OpenClawAdapter({
    start(handlers) {
      const child = new FakeChild(handlers);
      children.push(child);
      return child;
    },
    calls: { request: async (_, method, params) => ({ method, params }), tell: async () => undefined },
    log: (level, message, fields) => void logged.push(JSON.stringify({ level, message, ...fields })),
    workspaceOf: (id) => `/vm/${id}`,
    modelOf: () => ({ provider: 'p', model: 'm', base_url: 'http://model/v1', api_key: 'the-model-key' }),
    clock,
    random: () => 0.5,
    ...options,
  });
  const child = (): FakeChild => children.at(-1) as FakeChild;
  return { clock, children, child, logged, adapter, log: () => logged.join('\n') };
}

export const dataOf = (id: string, more: Record<string, unknown> = {}): StartSessionData =>
  StartSessionData.parse({ session_id: id, runtime_type: 'openclaw', agent_id: 'main', ...more });
export const turnOf = (runId = 'r1', sessionId = 's1', more: Partial<AgentTurn> = {}): AgentTurn => ({
  sessionId,
  runId,
  resume: false,
  message: 'hi',
  history: [],
  ...more,
});

export interface Running {
  readonly pieces: AgentPiece[];
  readonly stop: AbortController;
  end?: string;
  done: Promise<void>;
}

/** Reads a run to its end, as the runtime does. */
export function runOf(session: AgentSession, turn: AgentTurn = turnOf()): Running {
  const running: Running = { pieces: [], stop: new AbortController(), done: Promise.resolve() };
  running.done = read(session, turn, running);
  return running;
}

async function read(session: AgentSession, turn: AgentTurn, running: Running): Promise<void> {
  const { signal } = running.stop;
  try {
    for await (const piece of session.run(turn, signal)) running.pieces.push(piece);
    running.end = 'complete';
  } catch (error) {
    running.end = error instanceof AgentFailure ? error.code : signal.aborted ? 'cancelled' : `threw ${String(error)}`;
  }
  running.stop.abort(new Error('the run is over'));
}

export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
