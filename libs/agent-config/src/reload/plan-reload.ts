import { RELOAD_RULES, type ReloadOwner, type ReloadRule } from './reload-rules.js';

/** What one changed path means. */
export interface PlannedAction {
  readonly path: string;
  /** Prefix of the rule that decided; undefined where none matches, which means a restart. */
  readonly rule: string | undefined;
  readonly kind: 'none' | 'hot' | 'restart';
  /** Who acts first; absent for `none` and for a path without a rule. */
  readonly owner?: ReloadOwner;
  readonly owners: readonly ReloadOwner[];
  /** Names of what is done; for channels with the one that is meant, `channel:slack/main`. */
  readonly actions: readonly string[];
}

export interface ReloadPlan {
  /** One entry for every changed path, in the given order. */
  readonly actions: readonly PlannedAction[];
  /** Paths that need a restart. */
  readonly restart: readonly string[];
  /** Paths that each owner applies at run time. */
  readonly hot: ReadonlyMap<ReloadOwner, readonly string[]>;
}

/**
 * Decides for every changed path what has to happen: the rule with the longest matching prefix, and a restart where there is none.
 * With `owner` the plan is only about that service: what concerns others alone is left out of `restart` and `hot`, while a path
 * without a rule still is a restart.
 */
export function planReload(changedPaths: readonly string[], rules: readonly ReloadRule[] = RELOAD_RULES, owner?: ReloadOwner): ReloadPlan {
  const actions = changedPaths.map((path) => plan(path, ruleFor(path, rules)));
  const hot = new Map<ReloadOwner, string[]>();
  for (const action of actions) {
    if (action.kind !== 'hot') continue;
    for (const name of action.owners) if (owner === undefined || name === owner) hot.set(name, [...(hot.get(name) ?? []), action.path]);
  }
  const concerns = (action: PlannedAction) => owner === undefined || action.rule === undefined || action.owners.includes(owner);
  return { actions, restart: actions.filter((action) => action.kind === 'restart' && concerns(action)).map(({ path }) => path), hot };
}

/** The rule with the longest prefix that is the path or is followed by a dot in it. */
export function ruleFor(path: string, rules: readonly ReloadRule[] = RELOAD_RULES): ReloadRule | undefined {
  let best: ReloadRule | undefined;
  for (const rule of rules) {
    const matches = path === rule.prefix || path.startsWith(`${rule.prefix}.`);
    if (matches && (best === undefined || rule.prefix.length > best.prefix.length)) best = rule;
  }
  return best;
}

function plan(path: string, rule: ReloadRule | undefined): PlannedAction {
  if (rule === undefined) return { path, rule: undefined, kind: 'restart', owners: [], actions: ['restart'] };
  const { prefix, kind, owner, owners } = rule;
  const actions = prefix === 'channels' ? [channelAction(path)] : rule.actions;
  return { path, rule: prefix, kind, ...(owner !== undefined && { owner }), owners, actions };
}

/** Only the account that changed has to start again: `channels.slack.accounts.main.settings` → `channel:slack/main`. */
function channelAction(path: string): string {
  const [, channel, member, account] = path.split('.');
  if (channel === undefined) return 'channels';
  return member === 'accounts' && account !== undefined ? `channel:${channel}/${account}` : `channel:${channel}`;
}
