/**
 * Which tools a session may use. Names, groups and rules are those of `resolveToolPolicy` in @plexus/agent-config, plus this runtime's own
 * tools in the groups that they belong to. A runtime does not load that library: every VM would pay its memory.
 */

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['bash', 'exec'],
  ['apply-patch', 'apply_patch'],
]);

const SESSION_TOOLS = ['sessions_list', 'sessions_history', 'sessions_send', 'sessions_spawn', 'session_status'];

const GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ['group:fs', ['read', 'write', 'edit', 'list', 'apply_patch']],
  ['group:runtime', ['exec', 'process']],
  ['group:sessions', SESSION_TOOLS],
  ['group:memory', ['memory_search', 'memory_get', 'memory_write']],
  ['group:web', ['web_search', 'web_fetch']],
  ['group:ui', ['browser', 'canvas']],
  ['group:automation', ['cron', 'gateway', 'dispatch_research', 'dispatch_and_notify']],
  ['group:messaging', ['message', 'notify_user']],
  ['group:nodes', ['nodes']],
]);

/** One set of rules. A tool must pass every set. */
export interface ToolRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

const normalise = (name: string): string => {
  const text = name.trim().toLowerCase();
  return ALIASES.get(text) ?? text;
};

const expand = (names: readonly string[]): string[] =>
  names
    .map(normalise)
    .flatMap((name) => GROUPS.get(name) ?? [name])
    .filter((name) => name !== '');

/** True when the name is the pattern, `*` standing for any text. Linear in both. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === name;
  const head = parts[0] as string;
  const tail = parts.at(-1) as string;
  if (name.length < head.length + tail.length || !name.startsWith(head) || !name.endsWith(tail)) return false;
  let from = head.length;
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from);
    if (at < 0 || at + part.length > name.length - tail.length) return false;
    from = at + part.length;
  }
  return true;
}

const namesIn = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []);

function rulesIn(value: unknown): ToolRules[] {
  if (value === null || typeof value !== 'object') return [];
  const { allow, deny, alsoAllow } = value as Record<string, unknown>;
  const listed = namesIn(allow);
  return [{ allow: listed.length === 0 ? [] : [...listed, ...namesIn(alsoAllow)], deny: namesIn(deny) }];
}

/** The sets of rules in `agent_config.tools`: one object with `allow` and `deny`, or a list of such. Absent or empty: everything is allowed. */
export function toolRulesOf(agentConfig: Readonly<Record<string, unknown>>): ToolRules[] {
  const { tools } = agentConfig;
  return (Array.isArray(tools) ? tools : [tools]).flatMap(rulesIn);
}

/** Says of each tool whether it may be used. In each set deny goes first, an empty allow list allows everything, else the tool has to match it. */
export function toolPolicy(rules: readonly ToolRules[]): (name: string) => boolean {
  const sets = rules.map(({ allow, deny }) => ({ allow: expand(allow), deny: expand(deny) }));
  return (name) => {
    const tool = normalise(name);
    return (
      tool !== '' && sets.every(({ allow, deny }) => !deny.some((one) => matches(one, tool)) && (allow.length === 0 || allow.some((one) => matches(one, tool))))
    );
  };
}
