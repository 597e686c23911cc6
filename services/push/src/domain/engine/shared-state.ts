import { PushPolicy } from '@plexus/contracts';
import type { LogInput, SharedState } from './types.js';
import type { Silence } from './user-state.js';

/** A tenant of which the log says nothing yet. */
export function emptyShared(): SharedState {
  return {
    policy: { version: 0, body: PushPolicy.parse({ name: 'default' }) },
    silences: {},
    defaults: { version: 0, preferences: [] },
    restricted: {},
    opened: {},
  };
}

/** What holds for everybody after an input with user `_`. Kinds that concern one user only change nothing. */
export function foldShared(shared: SharedState, input: LogInput): SharedState {
  switch (input.kind) {
    case 'policy':
      return { ...shared, policy: { version: input.data.version, body: input.data.body } };
    case 'silence':
      return { ...shared, silences: withSilence(shared.silences, input.data, input.at) };
    case 'preference': {
      const { version, preferences, quietHours } = input.data;
      if (version < shared.defaults.version) return shared;
      return { ...shared, defaults: { version, preferences, ...(quietHours === undefined ? {} : { quietHours }) } };
    }
    case 'grant':
      return withScope(shared, `${input.data.scopeKind}:${input.data.scopeRef}`, input.data.change, input.seq);
    default:
      return shared;
  }
}

/** Silences that are over are forgotten on the way. */
function withSilence(silences: SharedState['silences'], silence: Silence, at: number): SharedState['silences'] {
  const others = Object.entries(silences).filter(([id, { to }]) => id !== silence.id && to > at);
  return Object.fromEntries(silence.removed ? others : [...others, [silence.id, silence]]);
}

function withScope(shared: SharedState, scope: string, change: string, seq: number): SharedState {
  if (change === 'restricted') return { ...shared, restricted: { ...shared.restricted, [scope]: true } };
  if (change !== 'unrestricted') return shared;
  const { [scope]: _opened, ...restricted } = shared.restricted;
  return { ...shared, restricted, opened: { ...shared.opened, [scope]: seq } };
}
