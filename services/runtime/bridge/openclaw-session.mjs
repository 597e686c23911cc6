import { createHash } from 'node:crypto';
import { OpenClawProblem } from './openclaw-process.mjs';

const SNAPSHOT_MESSAGES = 50;
const MAX_SNAPSHOT_BYTES = 512 * 1024;
const MAX_RESULT_BYTES = 256 * 1024;
const MAX_HISTORY_CHARS = 60_000;

/** One session of the mesh, which is one session of OpenClaw. */
export class Session {
  #id;
  #name;
  #data;
  #model;
  #tools;
  #runs = new Map();

  constructor(id, data, model, tools) {
    this.#id = id;
    this.#name = `plexus-${createHash('sha256').update(id).digest('hex').slice(0, 24)}`;
    this.#tools = tools;
    this.configure(data, model);
  }

  get #key() {
    return `agent:main:${this.#name}`;
  }

  /** A run as OpenClaw knows it: those of two sessions may have one name here, but not there. */
  #keyOf(runId) {
    return `${this.#name}:${runId}`;
  }

  configure(data, model) {
    this.#data = data;
    this.#model = model;
  }

  /** Answers one message; writes exactly one end. */
  async answer(runId, message) {
    const run = { cancelled: false, begun: false, beganAt: performance.now() };
    this.#runs.set(runId, run);
    const emit = (event) => this.#tools.write({ ...event, session_id: this.#id, run_id: runId });
    let end;
    try {
      end = await this.#ask(runId, message, run, emit);
    } catch (error) {
      end = { type: 'execution_error', code: error instanceof OpenClawProblem ? error.code : 'AGENT_FAILED', error: error?.message ?? String(error) };
    }
    this.#runs.delete(runId);
    this.#report(end.usage, run);
    if (run.cancelled) emit({ type: 'execution_complete', cancelled: true });
    else emit(end.error === undefined ? end : { ...end, error: this.#explained(end.error) });
  }

  /** Tells the mesh what was used up. */
  #report(usage, { beganAt }) {
    if (!usage || !this.#model) return;
    const params = {
      model: this.#model.model,
      tokens_in: usage.input_tokens,
      tokens_out: usage.output_tokens,
      latency_ms: Math.round(performance.now() - beganAt),
    };
    this.#tools.write({ type: 'cp_fire_and_forget', session_id: this.#id, method: 'usage_report', params });
  }

  /** OpenClaw knows the model by a name of ours, and not what its endpoint said. */
  #explained(sentence) {
    if (!this.#model) return sentence;
    const said = this.#tools.proxy.problem(this.#name);
    return `${sentence.replaceAll(`plexus/${this.#name}`, this.#model.model)}${said ? ` (${said})` : ''}`;
  }

  async cancel(runId) {
    const run = this.#runs.get(runId);
    if (!run) return;
    run.cancelled = true;
    if (run.begun) await this.#tools.openclaw.running?.request('chat.abort', { sessionKey: this.#key, runId: this.#keyOf(runId) });
  }

  /** What OpenClaw remembers of this session; undefined while it does not run. */
  async snapshot() {
    const gateway = this.#tools.openclaw.running;
    if (!gateway) return undefined;
    const { messages = [], sessionId } = await gateway.request('chat.history', { sessionKey: this.#key, limit: SNAPSHOT_MESSAGES });
    while (messages.length > 0 && Buffer.byteLength(JSON.stringify(messages)) > MAX_SNAPSHOT_BYTES) messages.shift();
    return { checkpoint: { agent: 'openclaw', session_key: this.#key, session_id: sessionId ?? null }, short_term_memory: { messages } };
  }

  async close() {
    await Promise.all([...this.#runs.keys()].map((runId) => this.cancel(runId)));
    this.#tools.proxy.route(this.#name);
  }

  async #ask(runId, { message, history, system_prompt, temperature, max_tokens }, run, emit) {
    const { openclaw, proxy } = this.#tools;
    const own = this.#data.openclaw_config ?? {};
    if (!this.#model && !own.agents?.defaults?.model)
      throw new OpenClawProblem('MODEL_UNAVAILABLE', 'No model is configured: neither does the run name one, nor does openclaw_config.');
    if (!openclaw.running) emit({ type: 'thinking', stage: 'starting', content: 'Starting OpenClaw …' });
    const gateway = await openclaw.ready(own);
    if (this.#model) proxy.route(this.#name, { ...this.#model, temperature, max_tokens });
    const prompt = [system_prompt, await this.#earlier(gateway, history)].filter(Boolean).join('\n\n');
    if (run.cancelled) return { type: 'execution_complete' };
    return new Promise((resolve, reject) => {
      const told = new Told(emit);
      const stop = openclaw.listen(this.#keyOf(runId), (event) => {
        if (event) told.hear(event);
        else reject(new OpenClawProblem('OPENCLAW_EXITED', 'OpenClaw ended while it answered; the next message starts it again.'));
      });
      run.begun = true;
      const params = {
        message,
        sessionKey: this.#key,
        idempotencyKey: this.#keyOf(runId),
        deliver: false,
        ...(prompt && { extraSystemPrompt: prompt }),
        ...(this.#model && { model: `plexus/${this.#name}` }),
      };
      gateway
        .request('agent', params, { final: true })
        .then((answer) => resolve(told.end(answer)), reject)
        .finally(stop);
    });
  }

  /** What was said before this machine had the session: OpenClaw has not heard it. */
  async #earlier(gateway, history) {
    if (history.length === 0) return '';
    const { messages = [] } = await gateway.request('chat.history', { sessionKey: this.#key, limit: 1 });
    if (messages.length > 0) return '';
    const text = history.map(({ role, text: said }) => `${role}: ${said}`).join('\n\n');
    return `The conversation so far, oldest first:\n\n${text.slice(-MAX_HISTORY_CHARS)}`;
  }
}

/** Turns the `agent` events of one run into ours. */
class Told {
  #emit;
  #before = '';
  #item = { id: undefined, text: '' };
  #thought = '';
  #said = false;

  constructor(emit) {
    this.#emit = emit;
  }

  hear({ stream, data = {} }) {
    if (stream === 'assistant') this.#text(data);
    else if (stream === 'thinking') this.#think(data);
    else if (stream === 'tool' && data.phase === 'start')
      this.#emit({ type: 'tool_call_start', tool_call_id: data.toolCallId, tool_name: data.name, tool_input: bounded(data.args ?? {}) });
    else if (stream === 'tool' && data.phase === 'result')
      this.#emit({
        type: 'tool_call_complete',
        tool_call_id: data.toolCallId,
        tool_name: data.name,
        result: bounded(data.result ?? null),
        is_error: data.isError === true,
      });
  }

  /** The end of the run, from the gateway's last answer. */
  end({ status, summary, result, error }) {
    const reason = (typeof error === 'string' ? error : error?.message) ?? result?.meta?.error?.message;
    const payloads = result?.payloads ?? [];
    const failed = payloads.filter((one) => one.isError).map((one) => one.text);
    if (status !== 'ok' || reason || (failed.length > 0 && !this.#said))
      return {
        type: 'execution_error',
        code: status === 'timeout' ? 'RUN_TIMEOUT' : 'AGENT_FAILED',
        error: reason ?? failed[0] ?? summary ?? 'OpenClaw failed without saying why.',
      };
    const spent = result?.meta?.agentMeta?.usage;
    const text = payloads
      .map((one) => one.text ?? '')
      .filter(Boolean)
      .join('\n\n');
    return {
      type: 'execution_complete',
      ...(!this.#said && text && { content: text }),
      ...(spent && { usage: { input_tokens: spent.input ?? 0, output_tokens: spent.output ?? 0 } }),
    };
  }

  #text({ text, delta, itemId }) {
    if (itemId !== this.#item.id) {
      if (this.#item.text) this.#before += `${this.#item.text}\n\n`;
      const isFirst = this.#before === '';
      this.#item = { id: itemId, text: '' };
      if (!isFirst) this.#emit({ type: 'text_chunk', content: '\n\n' });
    }
    const whole = typeof text === 'string' ? text : this.#item.text + (delta ?? '');
    this.#said ||= whole !== '';
    if (whole.startsWith(this.#item.text)) {
      if (whole !== this.#item.text) this.#emit({ type: 'text_chunk', content: whole.slice(this.#item.text.length) });
    } else {
      this.#emit({ type: 'text_reset' });
      this.#emit({ type: 'text_chunk', content: this.#before + whole });
    }
    this.#item.text = whole;
  }

  #think({ text, delta }) {
    const content = typeof delta === 'string' ? delta : typeof text === 'string' && text.startsWith(this.#thought) ? text.slice(this.#thought.length) : '';
    if (typeof text === 'string') this.#thought = text;
    if (content) this.#emit({ type: 'thinking', stage: 'reasoning', content });
  }
}

/** A tool may return megabytes; a line may not. */
function bounded(value) {
  const text = JSON.stringify(value) ?? 'null';
  return Buffer.byteLength(text) <= MAX_RESULT_BYTES ? value : { truncated: true, text: text.slice(0, MAX_RESULT_BYTES / 4) };
}
