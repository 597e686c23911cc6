import { stableStringify } from '@plexus/kernel';
import type { BindingConfig } from '../schema/binding-config.js';

/** Two bindings that match exactly the same messages. Only the first of them ever takes effect. */
export interface BindingConflict {
  /** Positions in `bindings`, ascending: the one that wins and the one that never does. */
  readonly indexes: readonly [number, number];
  /** `duplicate_binding`: the same agent, harmless. `conflicting_binding`: another agent. */
  readonly code: 'duplicate_binding' | 'conflicting_binding';
  readonly message: string;
}

/** Finds bindings that repeat an earlier match, compared as the router compares them: case, blanks and the order of roles do not count. */
export function bindingConflicts(config: { readonly bindings: readonly BindingConfig[] }): BindingConflict[] {
  const first = new Map<string, number>();
  return config.bindings.flatMap((binding, index): BindingConflict[] => {
    const key = bindingKey(binding);
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, index);
      return [];
    }
    const winner = (config.bindings[earlier] as BindingConfig).agentId;
    return winner === binding.agentId
      ? [{ indexes: [earlier, index], code: 'duplicate_binding', message: `repeats binding ${earlier}` }]
      : [
          {
            indexes: [earlier, index],
            code: 'conflicting_binding',
            message: `matches the same messages as binding ${earlier}, which sends them to ${JSON.stringify(winner)}; this one never takes effect`,
          },
        ];
  });
}

/** Equal for bindings that match the same messages, whichever agent they name. */
export function bindingKey({ match }: Pick<BindingConfig, 'match'>): string {
  const peer = match.peer && { kind: peerKind(match.peer.kind), id: match.peer.id.trim() };
  return stableStringify({
    channel: match.channel.trim().toLowerCase(),
    accountId: match.accountId?.trim().toLowerCase() || 'default',
    peer,
    guildId: match.guildId?.trim() || undefined,
    teamId: match.teamId?.trim() || undefined,
    roles: match.roles === undefined || match.roles.length === 0 ? undefined : [...new Set(match.roles.map((role) => role.trim()))].sort(),
  });
}

function peerKind(kind: string): string {
  const name = kind.trim().toLowerCase();
  return name === 'dm' ? 'direct' : name;
}
