import type { ConfigIssue } from '../issue.js';
import { BUILT_IN_CHANNELS } from '../schema/channels-config.js';

/** Settings of earlier and neighbouring formats, and where they are now. `*` stands for one segment. */
const MOVED: readonly (readonly [pattern: string, fix: string])[] = [
  ['agent', 'move it to agents.defaults'],
  ['agents.entries', 'write the agents as a list: agents.list'],
  ['agents.defaults.heartbeat.every', 'write milliseconds: everyMs'],
  ['agents.list.*.heartbeat.every', 'write milliseconds: everyMs'],
  ['agents.list.*.bindings', 'move them to bindings'],
  ['heartbeat.every', 'write milliseconds: everyMs'],
  ['agents.defaults.sandbox.prune.idleHours', 'write milliseconds: idleMs'],
  ['agents.defaults.sandbox.prune.maxAgeDays', 'write milliseconds: maxAgeMs'],
  ['agents.list.*.sandbox.prune.idleHours', 'write milliseconds: idleMs'],
  ['agents.list.*.sandbox.prune.maxAgeDays', 'write milliseconds: maxAgeMs'],
  ['agents.defaults.sandbox.docker.readOnlyRootfs', 'it is called readOnlyRoot'],
  ['agents.list.*.sandbox.docker.readOnlyRootfs', 'it is called readOnlyRoot'],
  ['channels.*.dm', 'write dmPolicy and allowFrom of an account: channels.<id>.accounts.<account>'],
  ['cron.maxConcurrentRuns', 'it is called maxConcurrent'],
  ['gateway.auth', 'tokens belong to the platform document'],
  ['gateway.bind', 'set the variable INTERNAL_HOST of the gateway'],
  ['gateway.port', 'set the variable GATEWAY_PORT of the gateway'],
  ['gateway.token', 'tokens belong to the platform document'],
  ['identity', 'move it to agents.list[].identity'],
  ['messages.queue.debounce', 'write milliseconds: debounceMs'],
  ['queue', 'move it to messages.queue'],
  ['routing', 'move the bindings to bindings and the agents to agents.list'],
  ['sandbox', 'move it to agents.defaults.sandbox'],
  ['session.agentToAgent', 'move it to tools.agentToAgent'],
  ...BUILT_IN_CHANNELS.map((channel) => [channel, `move it to channels.${channel}`] as const),
];

/** Keys that have moved or were renamed, each with where its setting is now. Expects any shape. */
export function legacyKeys(document: unknown): ConfigIssue[] {
  return MOVED.flatMap(([pattern, fix]) =>
    find(document, pattern.split('.')).map((path) => ({ path, code: 'legacy_key', message: 'this setting has moved', fix })),
  );
}

function find(document: unknown, pattern: readonly string[]): string[] {
  let places: { value: unknown; path: string }[] = [{ value: document, path: '' }];
  for (const segment of pattern) {
    places = places.flatMap(({ value, path }) => {
      if (typeof value !== 'object' || value === null) return [];
      const keys = segment === '*' ? Object.keys(value) : Object.hasOwn(value, segment) ? [segment] : [];
      return keys.map((key) => ({ value: (value as Record<string, unknown>)[key], path: path === '' ? key : `${path}.${key}` }));
    });
  }
  return places.map(({ path }) => path);
}
