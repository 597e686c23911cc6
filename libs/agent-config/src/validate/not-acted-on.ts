import type { ConfigIssue } from '../issue.js';

/** A setting that is checked and kept, and does nothing yet. */
export interface IdleSetting {
  /** `*` stands for every entry of a list and for every key of your choice. */
  readonly path: string;
  /** What happens instead. */
  readonly instead: string;
}

const idle = (instead: string, ...paths: string[]): IdleSetting[] => paths.map((path) => ({ path, instead }));
const ofAgents = (name: string): string[] => [`agents.defaults.${name}`, `agents.list.*.${name}`];

/** Settings that no service acts on yet. One list: validation warns of them and the reference page prints them. */
export const NOT_ACTED_ON: readonly IdleSetting[] = Object.freeze([
  ...idle('runs are limited per session only', 'lanes', 'agents.defaults.maxConcurrent', 'agents.defaults.subagents'),
  ...idle('runs are limited per session only', 'cron.maxConcurrent'),
  ...idle(
    'the answer stays in the session; the agent can notify its user',
    ...['target', 'to'].flatMap((name) => [`cron.jobs.*.${name}`, `heartbeat.${name}`, ...ofAgents(`heartbeat.${name}`)]),
  ),
  ...idle('no requests from outside are taken', 'hooks'),
  ...idle('no plugins are loaded', 'plugins'),
  ...idle('the rules outside it hold in every VM', 'tools.sandbox', ...ofAgents('tools.sandbox')),
  ...idle('an answer is as long as its endpoint allows', 'models.providers.*.models.*.maxTokens'),
  ...idle('an agent works in the folder of its VM', ...ofAgents('workspace'), 'agents.list.*.agentDir'),
  ...idle('it is checked and nowhere shown', 'agents.list.*.identity'),
  ...idle('the template of the VM decides', ...['mode', 'docker', 'browser', 'workspaceAccess'].flatMap((name) => ofAgents(`sandbox.${name}`))),
  ...idle("the platform's limits hold", 'limits'),
]);

/** True when nothing acts on a setting. `path` may use `*` as the list does. */
export function isNotActedOn(path: string): boolean {
  return NOT_ACTED_ON.some((setting) => path === setting.path || path.startsWith(`${setting.path}.`));
}

/** A warning for every such setting that the document, as its author wrote it, holds. */
export function idleSettings(document: unknown): ConfigIssue[] {
  return NOT_ACTED_ON.flatMap(({ path, instead }) =>
    placesOf(document, path.split('.'), []).map((place) => ({
      path: place,
      code: 'not_acted_on',
      message: `accepted, not acted on yet: ${instead}`,
      fix: 'it may stay; it does nothing in this version',
    })),
  );
}

function placesOf(value: unknown, [head, ...rest]: readonly string[], at: readonly string[]): string[] {
  if (head === undefined) return value === undefined ? [] : [at.join('.')];
  if (typeof value !== 'object' || value === null) return [];
  const keys = head === '*' ? Object.keys(value) : Object.hasOwn(value, head) ? [head] : [];
  return keys.flatMap((key) => placesOf((value as Record<string, unknown>)[key], rest, [...at, key]));
}
