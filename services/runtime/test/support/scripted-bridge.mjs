// A bridge for tests: does what the message says. Speaks the lines of docs/guides/runtime-adapter.md, and sometimes something else.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const write = (line) => process.stdout.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
const waiting = new Map();
const answered = new Map();
let seen = '';

const scripts = {
  say: (say, rest) => say({ type: 'text_chunk', content: rest }),
  async ask(say, rest, command) {
    const id = `q-${command.run_id}`;
    const answer = new Promise((resolve) => waiting.set(id, resolve));
    write({ type: 'cp_request', id, session_id: command.session_id, method: 'memory_search', params: { query: rest } });
    const { result, error } = await answer;
    say({ type: 'text_chunk', content: JSON.stringify(error ?? result) });
  },
  tell: (_say, rest, command) => write({ type: 'cp_fire_and_forget', session_id: command.session_id, method: 'audit_log', params: { event: rest } }),
  garbage(say) {
    for (const line of ['hello, I am no JSON', '[]', 'null', '{"type":7}', '{"type":"dance","session_id":"s1"}', `{"x":"${'x'.repeat(2 * 1024 * 1024)}"}`])
      write(line);
    process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 10, 13, 10]));
    process.stderr.write('what I know: api_key=abcdef-123456\n');
    say({ type: 'text_chunk', content: 'still here' });
  },
  die(say) {
    say({ type: 'text_chunk', content: 'half' });
    process.stdout.write('', () => process.exit(3));
    return new Promise(() => undefined);
  },
  /** Never ends, and does not listen to a cancel or TERM; with a process of its own beside it. */
  hang(say) {
    process.on('SIGTERM', () => undefined);
    process.stdin.removeAllListeners('end');
    const beside = spawn('sleep', ['600'], { stdio: 'ignore' });
    setInterval(() => undefined, 1_000);
    say({ type: 'text_chunk', content: JSON.stringify([process.pid, beside.pid]) });
    return new Promise(() => undefined);
  },
  /** Leaves something behind that is not in its group and holds its output open. */
  daemon(say) {
    const left = spawn('sleep', ['600'], { stdio: 'inherit', detached: true });
    say({ type: 'text_chunk', content: String(left.pid) });
    process.stdout.write('', () => process.exit(3));
    return new Promise(() => undefined);
  },
  flood(say, rest) {
    for (let count = 0; count < Number(rest); count++) say({ type: 'text_chunk', content: `${count},` });
  },
  twice: (say) => say({ type: 'execution_complete', content: 'once' }),
  show: (say) => say({ type: 'text_chunk', content: JSON.stringify({ argv: process.argv, env: process.env, told: seen }) }),
};

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
lines.on('line', async (text) => {
  const command = JSON.parse(text);
  const { type, session_id, run_id } = command;
  if (type === 'start') seen = text;
  else if (type === 'cp_response') waiting.get(command.id)?.(command);
  else if (type === 'get_snapshot')
    write({ type: 'snapshot', session_id, id: command.id, data: { checkpoint: { answered: answered.get(session_id) ?? 0 }, short_term_memory: {} } });
  else if (type === 'stop' && session_id === undefined) process.exit(0);
  else if (type === 'user_message') {
    const [name, ...rest] = command.data.message.split(' ');
    const say = (event) => write({ session_id, run_id, ...event });
    await scripts[name](say, rest.join(' '), command);
    answered.set(session_id, (answered.get(session_id) ?? 0) + 1);
    say({ type: 'execution_complete', usage: { input_tokens: 1, output_tokens: 2 } });
  }
});
