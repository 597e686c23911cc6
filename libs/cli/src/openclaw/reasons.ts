import { NOT_ACTED_ON } from '@plexus/agent-config';
import type { Path } from './reading.js';

const NONE = 'it has no counterpart in Plexus';

/** Why a setting of OpenClaw is not taken over; the longest prefix counts. `*` stands for one key. */
const REASONS: readonly (readonly [prefix: string, reason: string])[] = [
  ['acp', 'there is no ACP here'],
  ['agents.defaults.compaction', 'compaction has its own rules here'],
  ['agents.*.*.workspace', 'an agent works in the folder of its VM; copy files there'],
  ['agents.*.*.agentDir', 'an agent works in the folder of its VM'],
  ['agents.defaults.workspace', 'an agent works in the folder of its VM; copy files there'],
  ['agents.defaults.memorySearch', "memory is a service here; its model is the platform's"],
  ['agents.*.*.memorySearch', "memory is a service here; its model is the platform's"],
  ['agents.*.*.identity', 'it is nowhere shown here'],
  ['agents.*.*.sandbox', "the template of the agent's VM decides"],
  ['agents.defaults.sandbox', "the template of the agent's VM decides"],
  ['agents.*.*.heartbeat', 'a heartbeat has an interval and a message here; its answer stays in the session'],
  ['agents.defaults.heartbeat', 'a heartbeat has an interval and a message here; its answer stays in the session'],
  ['agents.*.*.groupChat', 'whether a bot is mentioned is for its adapter to know'],
  ['agents.*.*.subagents', 'runs are limited per session only'],
  ['agents.defaults.subagents', 'runs are limited per session only'],
  ['agents.defaults.maxConcurrent', 'runs are limited per session only'],
  ['agents.defaults.models', 'models are described with their providers'],
  ['approvals', 'single commands are not approved here: tools are allowed or not'],
  ['auth', 'keys of models are variables; there are no profiles'],
  ['bindings', 'bindings to another kind of target have no counterpart'],
  ['browser', 'there is no browser beside an agent'],
  ['channels', 'the adapter has no such setting'],
  ['channels.*.groups', 'there are no settings for single groups; groupPolicy and groupAllowFrom hold for all'],
  ['channels.*.accounts.*.groups', 'there are no settings for single groups; groupPolicy and groupAllowFrom hold for all'],
  ['channels.slack.channels', 'there are no settings for single channels'],
  ['commands', 'commands in chats are not read here'],
  ['cron', 'schedules are kept and bounded by the services'],
  ['cron_jobs', 'a job is a rhythm, an agent and a message here; its answer stays in the session'],
  ['env', 'variables are set where the services run'],
  ['gateway', 'listening, tokens and TLS belong to the gateway service, not to the document of a tenant'],
  ['hooks', 'events come in through NATS or POST /v1/events; schedules and policies decide what they wake'],
  ['identity', 'it is nowhere shown here'],
  ['logging', 'set LOG_LEVEL of the services'],
  ['messages', 'answers are sent as they are'],
  ['models', 'OpenAI-compatible endpoints need address, key and models only'],
  ['plugins', 'plugins of OpenClaw do not run here: tools come as MCP servers or skills'],
  ['routing', 'bindings and agents are at their own places'],
  ['session', 'sessions are reset by a person or a call, and kept as `retention` says'],
  ['skills', 'skills are added with `plexus skill add <folder>`; their variables belong to the VM'],
  ['tools', 'a tool has no settings of its own here'],
  ['tools.elevated', 'nothing leaves the VM here'],
  ['tools.exec', 'the VM is the limit of what a command can do'],
];

/** The reason for whatever nobody took. */
export function reasonFor(path: Path): string {
  let [best, reason] = [0, NONE];
  for (const [prefix, text] of REASONS) {
    const keys = prefix.split('.');
    if (keys.length > best && keys.length <= path.length && keys.every((key, index) => key === '*' || key === path[index]))
      [best, reason] = [keys.length, text];
  }
  const idle = NOT_ACTED_ON.find(({ path: pattern }) => pattern === path.map((key) => (/^\d+$/.test(key) ? '*' : key)).join('.'));
  return best < 2 && idle !== undefined ? idle.instead : reason;
}
