/** Who applies changes: services, and what starts the processes of channels. */
export type ReloadOwner = 'gateway' | 'routing' | 'push' | 'scheduler' | 'memory' | 'channels';

/** What a change below a path means. */
export interface ReloadRule {
  /** The path itself, or the path followed by a dot and more. */
  readonly prefix: string;
  /** `none`: read when needed. `hot`: applied at run time by its owners. `restart`: its owners have to start again. */
  readonly kind: 'none' | 'hot' | 'restart';
  /** Who acts first; absent where nobody has to. */
  readonly owner?: ReloadOwner;
  /** Everybody who acts, the owner included. */
  readonly owners: readonly ReloadOwner[];
  /** What they do, by name, in order. */
  readonly actions: readonly string[];
  readonly why: string;
}

const none = (prefix: string, why = 'read when it is needed'): ReloadRule => ({ prefix, kind: 'none', owners: [], actions: [], why });
const hot = (prefix: string, owners: readonly [ReloadOwner, ...ReloadOwner[]], actions: readonly string[], why: string): ReloadRule => ({
  prefix,
  kind: 'hot',
  owner: owners[0],
  owners,
  actions,
  why,
});
const restart = (prefix: string, owners: readonly [ReloadOwner, ...ReloadOwner[]], why: string): ReloadRule => ({
  prefix,
  kind: 'restart',
  owner: owners[0],
  owners,
  actions: ['restart'],
  why,
});

/** What to do about each part of the document. The longest prefix wins; a path without a rule means a restart of whoever plans. */
export const RELOAD_RULES: readonly ReloadRule[] = Object.freeze([
  none('gateway.remote', 'only clients use it'),
  none('gateway.reload', 'the next change is planned with it'),
  restart('gateway', ['gateway'], 'listeners are bound at the start'),
  restart('discovery', ['gateway'], 'announced at the start'),
  hot('hooks.gmail', ['gateway'], ['gmail-watcher', 'hooks'], 'the watcher holds the mailbox'),
  hot('hooks', ['gateway'], ['hooks'], 'mappings and token are compiled'),
  hot('cron', ['push', 'routing'], ['cron', 'lanes'], 'schedules are rows of push; the lane has a width'),
  hot('heartbeat', ['push'], ['heartbeat', 'system-jobs'], 'heartbeats are schedules of push'),
  hot('agents.defaults.heartbeat', ['push'], ['heartbeat', 'system-jobs'], 'heartbeats are schedules of push'),
  hot('agents.defaults.model', ['scheduler'], ['vm-config'], 'running VMs hold their model'),
  hot('agents.defaults.systemPrompt', ['scheduler'], ['vm-config'], 'running VMs hold their prompt'),
  hot('agents.defaults.models', ['scheduler'], ['vm-config'], 'running VMs hold their models'),
  hot('agents.defaults.sandbox', ['scheduler'], ['sandbox'], 'idle time and retention of VMs that are made from now on'),
  hot('agents.defaults.tools', ['scheduler'], ['vm-config'], 'running VMs hold their tool policy'),
  hot('agents.defaults.skills', ['scheduler'], ['vm-config'], 'running VMs hold their skills'),
  ...['runtime', 'temperature', 'maxTokens', 'maxTurns', 'contextTokens', 'contextPruning'].map((name) =>
    hot(`agents.defaults.${name}`, ['scheduler'], ['vm-config'], 'running VMs hold their settings'),
  ),
  hot('mcp', ['scheduler'], ['vm-config'], 'running VMs and the pool of remote servers hold them'),
  hot('agents.defaults.maxConcurrent', ['routing'], ['lanes'], 'the lane has a width'),
  hot('agents.defaults.subagents', ['routing'], ['lanes'], 'the lane has a width'),
  hot(
    'agents.list',
    ['push', 'scheduler'],
    ['heartbeat', 'system-jobs', 'hook-policy', 'vm-config'],
    'heartbeats and jobs belong to agents; VMs hold their agent',
  ),
  hot('models', ['scheduler'], ['vm-config'], 'running VMs hold addresses and names of models'),
  hot('tools', ['scheduler'], ['vm-config'], 'running VMs hold their tool policy'),
  none('tools.sessions', 'asked with every call'),
  none('tools.agentToAgent', 'asked with every call'),
  hot('lanes', ['routing'], ['lanes'], 'the lanes have a width'),
  hot('plugins', ['gateway'], ['plugins', 'dispose-mcp'], 'plugins are loaded'),
  restart('plugins.load', ['gateway'], 'folders are searched at the start'),
  restart('plugins.installs', ['gateway'], 'code is loaded at the start'),
  hot('channels', ['channels', 'routing'], ['channels'], 'the adapter of the account holds a connection'),
  hot('retention', ['routing'], ['retention'], 'the sweeper holds its limits'),
  hot('limits', ['gateway', 'scheduler'], ['limits'], 'counters hold their ceilings'),
  hot('env', ['channels', 'scheduler'], ['references'], 'values are resolved when something starts'),
  none('agents', 'read with every message'),
  none('bindings', 'routes are compiled for each revision'),
  none('session'),
  none('messages'),
  none('defaultOwner'),
  none('push', 'read with every delivery'),
  none('meta', 'notes of tools'),
  none('identity'),
  none('wizard', 'notes of tools'),
  none('logging'),
  none('audio'),
  none('routing'),
  none('talk'),
  none('skills'),
  none('secrets'),
  none('ui'),
]);
