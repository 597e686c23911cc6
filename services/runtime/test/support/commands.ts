type Command = Record<string, unknown> & { type: string };

export function fakeSession(sessionId: string, extra: Record<string, unknown> = {}): Command {
  return {
    type: 'start_session',
    data: { session_id: sessionId, runtime_type: 'semigraph', agent_id: 'main', agent_config: { system_prompt: 'Be brief.' }, ...extra },
  };
}

export function fakeMessage(sessionId: string, runId: string, message: string, metadata: Record<string, unknown> = {}, history: unknown[] = []): Command {
  return { type: 'user_message', session_id: sessionId, data: { message, history, metadata: { run_id: runId, ...metadata } } };
}
