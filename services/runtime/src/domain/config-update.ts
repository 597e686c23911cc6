import type { MeshFrameOf, VmFrameOf } from '@plexus/vm-protocol';

/** Settings of a session that this runtime can change while it runs. */
const HOT: readonly string[] = ['system_prompt', 'model', 'temperature', 'max_tokens', 'context_tokens', 'fallbacks', 'fallback_model', 'tools'];
const HOT_LISTS: readonly string[] = ['skill_index', 'mcp_servers'];

/** What of a session matters here. */
export interface ConfiguredSession {
  readonly id: string;
  /** It runs something now, which keeps the settings it began with. */
  readonly isBusy: boolean;
}

/**
 * The answer to a `config_update`: what holds from now on, what holds for a session only from its next run on, and what this runtime cannot
 * change (settings it does not know, sessions it does not have). Nothing here needs a restart of the runtime.
 */
export function answerConfigUpdate({ data }: MeshFrameOf<'config_update'>, sessions: readonly ConfiguredSession[]): VmFrameOf<'config_ack'> {
  const { session_id: sessionId, agent_config: settings = {}, ...others } = data;
  const meant = sessionId === undefined ? sessions : sessions.filter(({ id }) => id === sessionId);
  const unknownSession = sessionId !== undefined && meant.length === 0;
  const names = Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [`agent_config.${name}`]));
  const lists = Object.keys(others).filter((name) => others[name] !== undefined);
  const changeable = unknownSession
    ? []
    : [...names.filter((name) => HOT.includes(name.slice('agent_config.'.length))), ...lists.filter((name) => HOT_LISTS.includes(name))];
  const rejected = [...names, ...lists].filter((name) => !changeable.includes(name));
  const isDeferred = meant.some(({ isBusy }) => isBusy);
  return {
    type: 'config_ack',
    ...(sessionId !== undefined && { session_id: sessionId }),
    applied: isDeferred ? [] : changeable,
    deferred: isDeferred ? changeable : [],
    rejected,
    restart_required: false,
  };
}
