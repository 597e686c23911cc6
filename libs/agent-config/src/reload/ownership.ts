import type { ReloadOwner } from './reload-rules.js';

/** How a service keeps what the rules promise in its name. */
export interface Ownership {
  readonly service: ReloadOwner;
  /** `applies`: registered for changes under the action's name. `reads`: looked up anew whenever it is needed, so that nothing has to be registered. */
  readonly how: 'applies' | 'reads';
  /** Below these paths. */
  readonly prefixes: readonly string[];
}

/** Actions of {@link RELOAD_RULES} that are carried out, with who does it. What is not here belongs to settings that nothing acts on yet. */
export const PERFORMED = Object.freeze({
  cron: { service: 'push', how: 'applies', prefixes: ['cron'] },
  heartbeat: { service: 'push', how: 'applies', prefixes: ['heartbeat', 'agents.defaults.heartbeat', 'agents.list'] },
  'vm-config': {
    service: 'scheduler',
    how: 'applies',
    prefixes: [
      'agents.list',
      ...['model', 'models', 'systemPrompt', 'tools', 'skills', 'runtime', 'temperature', 'maxTokens', 'maxTurns', 'contextTokens', 'contextPruning'].map(
        (name) => `agents.defaults.${name}`,
      ),
      'models',
      'tools',
      'mcp',
    ],
  },
  sandbox: { service: 'scheduler', how: 'reads', prefixes: ['agents.defaults.sandbox'] },
  channels: { service: 'channels', how: 'reads', prefixes: ['channels'] },
  retention: { service: 'routing', how: 'reads', prefixes: ['retention'] },
  'system-jobs': { service: 'push', how: 'reads', prefixes: ['heartbeat', 'agents.defaults.heartbeat', 'agents.list'] },
  references: { service: 'scheduler', how: 'reads', prefixes: ['env'] },
} satisfies Record<string, Ownership>);

/** Actions that wait for the settings they belong to (`NOT_ACTED_ON`). */
export const PENDING_ACTIONS: readonly string[] = Object.freeze(['dispose-mcp', 'gmail-watcher', 'hook-policy', 'hooks', 'lanes', 'limits', 'plugins']);
