import { type AgentDirectory, selectFrom } from './agents.js';
import { DEFAULT_ACCOUNT_ID, listOf, lowered, normaliseAccountId, normaliseAgentId, trimmed } from './normalise.js';
import type { BindingEntry, PeerMatch } from './routing-config.js';
import { ConversationKeys, type DmRules, mainSessionKey, normalisePeerKind } from './session-key.js';

export const ANY = '*';

/** Groups and channels stand for one another in bindings; direct messages never match either. */
export type PeerClass = 'dm' | 'group';

/** Undefined for a word that no binding can name. */
export function peerClassOf(kind: string): PeerClass | undefined {
  if (kind === 'dm') return 'dm';
  return kind === 'group' || kind === 'channel' ? 'group' : undefined;
}

/** The agent that answers on a channel, with its keys prepared. */
export interface AgentTarget {
  readonly agentId: string;
  readonly keys: ConversationKeys;
}

export function agentTarget(agentId: string, channel: string, rules: DmRules): AgentTarget {
  return { agentId, keys: new ConversationKeys(`agent:${agentId}`, mainSessionKey(agentId), channel, rules) };
}

/** Where a binding stands among the tiers: what decides it when it matches. */
export type BindingShape = 'peer' | 'wildcard' | 'guild+roles' | 'guild' | 'team' | 'account';

/** A binding as the resolver sees it. */
export interface CompiledBinding {
  /** Position in the configuration, from 0; the lowest wins inside a tier. */
  readonly index: number;
  readonly shape: BindingShape;
  readonly agent: AgentTarget;
  /** `*`: any account. */
  readonly accountId: string;
  readonly peer: { readonly class: PeerClass; readonly id: string } | undefined;
  /** Empty: not asked for. */
  readonly guildId: string;
  readonly teamId: string;
  readonly roles: readonly string[];
}

export type BindingProblemCode = 'NOT_A_BINDING' | 'NO_CHANNEL' | 'UNUSABLE_PEER' | 'ROLES_WITHOUT_PLACE' | 'UNKNOWN_AGENT';

/** A binding that does less than its author meant. Routing goes on; people should be told. */
export interface BindingProblem {
  readonly index: number;
  readonly code: BindingProblemCode;
  readonly message: string;
  /** What to change. */
  readonly hint: string;
}

export interface BindingReading {
  readonly channel: string;
  /** Absent: the binding is disabled, and `problem` says why. */
  readonly binding?: CompiledBinding;
  readonly problem?: BindingProblem;
}

/**
 * Reads one entry of `bindings`. Garbage and bindings that could never match are disabled with a problem; a binding to an agent that is
 * not configured works and leads to the default agent, with a problem too.
 */
export function readBinding(
  entry: BindingEntry | null | undefined,
  index: number,
  agents: AgentDirectory,
  target: (agentId: string, channel: string) => AgentTarget,
): BindingReading {
  const match = entry !== null && typeof entry === 'object' ? entry.match : undefined;
  if (!entry || match === null || typeof match !== 'object') {
    return disabled('', index, 'NOT_A_BINDING', 'This is no binding.', 'A binding is {agentId, match: {channel, …}}.');
  }
  const channel = lowered(match.channel);
  if (channel === '') return disabled('', index, 'NO_CHANNEL', 'The binding names no channel.', 'Set match.channel.');
  const peer = match.peer === null || match.peer === undefined ? undefined : readPeer(match.peer);
  if (peer === 'unusable') {
    return disabled(channel, index, 'UNUSABLE_PEER', 'The peer could never match.', 'match.peer needs an id and the kind dm, group or channel.');
  }
  const guildId = trimmed(match.guildId);
  const teamId = trimmed(match.teamId);
  const roles = listOf(match.roles).map(trimmed).filter(Boolean);
  if (!peer && roles.length > 0 && guildId === '' && teamId === '') {
    return disabled(channel, index, 'ROLES_WITHOUT_PLACE', 'Roles mean nothing without the guild they belong to.', 'Add match.guildId, or remove match.roles.');
  }
  const binding: CompiledBinding = {
    index,
    shape: shapeOf(peer, guildId, teamId, roles),
    agent: target(selectFrom(agents, entry.agentId), channel),
    accountId: readAccount(trimmed(match.accountId)),
    peer,
    guildId,
    teamId,
    roles,
  };
  if (trimmed(entry.agentId) === '' || agents.known.size === 0 || agents.known.has(normaliseAgentId(entry.agentId))) return { channel, binding };
  const message = `No agent ${JSON.stringify(trimmed(entry.agentId))} is configured; ${agents.defaultId} answers instead.`;
  return { channel, binding, problem: { index, code: 'UNKNOWN_AGENT', message, hint: 'Add the agent to agents.list, or name one that is there.' } };
}

function disabled(channel: string, index: number, code: BindingProblemCode, message: string, hint: string): BindingReading {
  return { channel, problem: { index, code, message, hint } };
}

function readAccount(account: string): string {
  if (account === ANY) return ANY;
  return account === '' ? DEFAULT_ACCOUNT_ID : normaliseAccountId(account);
}

function readPeer(peer: PeerMatch): { class: PeerClass; id: string } | 'unusable' {
  if (typeof peer !== 'object' || trimmed(peer.kind) === '') return 'unusable';
  const peerClass = peerClassOf(normalisePeerKind(peer.kind));
  const id = trimmed(peer.id);
  return peerClass === undefined || id === '' ? 'unusable' : { class: peerClass, id };
}

function shapeOf(peer: { id: string } | undefined, guildId: string, teamId: string, roles: readonly string[]): BindingShape {
  if (peer) return peer.id === ANY ? 'wildcard' : 'peer';
  if (guildId !== '') return roles.length > 0 ? 'guild+roles' : 'guild';
  return teamId === '' ? 'account' : 'team';
}
