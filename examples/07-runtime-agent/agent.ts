// The agent itself: here a few rules, there a model of yours. It knows nothing of sockets.

/** What an agent has of the mesh while it answers one message. */
export interface Mesh {
  /** Shows something to whoever watches: a piece of text, a tool at work. */
  tell(event: object): void;
  /** Asks the mesh: `memory_search`, `mcp_call`, `get_config`, … */
  ask(method: string, params: object): Promise<unknown>;
  /** Aborted when the person has pressed stop. */
  readonly signal: AbortSignal;
}

/** Answers a message, in pieces; returns the whole answer. */
export async function answerTo(message: string, mesh: Mesh): Promise<string> {
  let answer = '';
  const say = (content: string): void => {
    answer += content;
    mesh.tell({ type: 'text_chunk', content });
  };
  say('I have read');
  say(` ${message.split(/\s+/).length} words. `);
  const input = { query: message, top_k: 1 };
  mesh.tell({ type: 'tool_call_start', tool_name: 'memory_search', tool_input: input });
  const found = (await mesh.ask('memory_search', input)) as { results: { content: string }[] };
  mesh.tell({ type: 'tool_call_complete', tool_name: 'memory_search', result: found });
  mesh.signal.throwIfAborted();
  say(found.results.length === 0 ? 'I remember nothing of that.' : `I remember: ${found.results[0]?.content}`);
  return answer;
}
