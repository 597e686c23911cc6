#!/usr/bin/env node
// Drives the `openclaw` package for a Plexus runtime: JSON lines in, JSON lines out. One OpenClaw gateway on loopback serves all sessions.
// docs/guides/runtime-adapter.md describes the lines.
import { createInterface } from 'node:readline';
import { ModelProxy } from './model-proxy.mjs';
import { OpenClaw } from './openclaw-process.mjs';
import { Session } from './openclaw-session.mjs';

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const note = (text) => process.stderr.write(`${text}\n`);

const proxy = await ModelProxy.start();
const openclaw = new OpenClaw({ folder: process.cwd(), env: process.env, proxy, note });
const sessions = new Map();

const commands = {
  start({ session_id, data, model }) {
    const known = sessions.get(session_id);
    if (known) known.configure(data, model);
    else sessions.set(session_id, new Session(session_id, data, model, { openclaw, proxy, write, note }));
  },
  config_update({ session_id, data, model }) {
    sessions.get(session_id)?.configure(data, model);
  },
  user_message({ session_id, run_id, data }) {
    const session = sessions.get(session_id);
    if (session) void session.answer(run_id, data);
    else write({ type: 'execution_error', session_id, run_id, code: 'SESSION_NOT_FOUND', error: 'This session was not started in the bridge.' });
  },
  cancel({ session_id, run_id }) {
    void sessions.get(session_id)?.cancel(run_id);
  },
  async get_snapshot({ session_id, id }) {
    const body = await sessions.get(session_id)?.snapshot();
    if (body) write({ type: 'snapshot', session_id, id, data: body });
  },
  // This bridge asks nothing of the mesh, so no answer is waited for.
  cp_response() {},
  async stop({ session_id }) {
    if (session_id === undefined) return end();
    await sessions.get(session_id)?.close();
    sessions.delete(session_id);
  },
};

let ending = false;
async function end() {
  if (ending) return;
  ending = true;
  await Promise.all([openclaw.stop(), proxy.stop()]);
  process.exit(0);
}

process.on('SIGTERM', end);
process.on('SIGINT', end);
// The runtime is gone: whoever reads what we write is gone too.
process.stdout.on('error', end);

const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
lines.on('close', end);
lines.on('line', (text) => {
  let command;
  try {
    command = JSON.parse(text);
  } catch {
    note(`a line of ${text.length} characters is no JSON, skipped`);
    return;
  }
  if (!Object.hasOwn(commands, command?.type)) return note(`unknown command of ${text.length} characters, skipped`);
  Promise.resolve(commands[command.type](command)).catch((error) => note(`${command.type} failed: ${error?.message ?? error}`));
});
