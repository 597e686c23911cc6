const ALIASES: ReadonlyMap<string, string> = new Map([
  ['bash', 'exec'],
  ['apply-patch', 'apply_patch'],
]);

const SESSION_TOOLS = ['sessions_list', 'sessions_history', 'sessions_send', 'sessions_spawn', 'session_status'];

/** Names that stand for several tools. `group:plugins` stands for the tools that plugins register. */
export const TOOL_GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ['group:fs', ['read', 'write', 'edit', 'list', 'apply_patch']],
  ['group:runtime', ['exec', 'process']],
  ['group:sessions', SESSION_TOOLS],
  ['group:memory', ['memory_search', 'memory_get', 'memory_write']],
  ['group:web', ['web_search', 'web_fetch']],
  ['group:ui', ['browser', 'canvas']],
  ['group:automation', ['cron', 'gateway', 'dispatch_research', 'dispatch_and_notify', 'dispatch_status']],
  ['group:messaging', ['message', 'notify_user']],
  ['group:nodes', ['nodes']],
]);
export const PLUGIN_GROUP = 'group:plugins';

/** What each profile allows; `full` has no limits. */
export const TOOL_PROFILES: Readonly<Record<'minimal' | 'coding' | 'messaging' | 'full', readonly string[]>> = Object.freeze({
  minimal: ['session_status'],
  coding: ['group:fs', 'group:runtime', 'group:sessions', 'group:memory', 'image', 'skill', 'scratchpad'],
  messaging: ['group:messaging', 'sessions_list', 'sessions_history', 'sessions_send', 'session_status'],
  full: [],
});

export const SANDBOX_ALLOW: readonly string[] = ['exec', 'process', 'read', 'write', 'edit', 'apply_patch', 'image', ...SESSION_TOOLS];
export const SANDBOX_DENY: readonly string[] = ['browser', 'canvas', 'nodes', 'cron', 'gateway'];

/** Every tool that a group or a default names: the ones that are not of a plugin. */
export const CORE_TOOLS: ReadonlySet<string> = new Set([...[...TOOL_GROUPS.values()].flat(), 'image']);

/** The name that rules are written for: trimmed, lower case, aliases replaced. */
export function normaliseToolName(name: string): string {
  const text = name.trim().toLowerCase();
  return ALIASES.get(text) ?? text;
}

/** Tool names and patterns, in order and once each, with groups replaced by their members. A group that does not exist stays and matches nothing. */
export function expandToolNames(names: readonly string[], pluginTools: readonly string[] = []): string[] {
  const expanded = names
    .map(normaliseToolName)
    .flatMap((name) => (name === PLUGIN_GROUP ? pluginTools.map(normaliseToolName) : (TOOL_GROUPS.get(name) ?? [name])));
  return [...new Set(expanded.filter((name) => name !== ''))];
}

/** True when the normalised name is the pattern, `*` standing for any text. */
export function matchesTool(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name;
  const parts = pattern.split('*');
  const head = parts[0] as string;
  const tail = parts.at(-1) as string;
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  // Leftmost match of each part in turn: linear, where a regular expression with many stars would not be.
  let from = head.length;
  const end = name.length - tail.length;
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
