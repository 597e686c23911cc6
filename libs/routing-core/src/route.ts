import { agentDirectory } from './agents.js';
import { type AgentTarget, ANY, agentTarget, type BindingProblem, type CompiledBinding, type PeerClass, peerClassOf, readBinding } from './binding.js';
import { type AccountBindings, ChannelIndex, getOrAdd, type Place } from './binding-index.js';
import { type Loose, listOf, lowered, normaliseAccountId, trimmed, UNKNOWN_PART } from './normalise.js';
import type { PeerMatch, RoutingConfig } from './routing-config.js';
import { type DmRules, dmRules, normalisePeerKind } from './session-key.js';

export type MatchedBy =
  | 'binding.peer'
  | 'binding.peer.parent'
  | 'binding.peer.wildcard'
  | 'binding.guild+roles'
  | 'binding.guild'
  | 'binding.team'
  | 'binding.account'
  | 'binding.channel'
  | 'default';

export interface RouteInput {
  readonly channel: Loose;
  readonly accountId?: Loose;
  readonly peer?: PeerMatch | null | undefined;
  /** The conversation that a thread belongs to. */
  readonly parentPeer?: PeerMatch | null | undefined;
  readonly guildId?: Loose;
  readonly teamId?: Loose;
  readonly memberRoleIds?: readonly Loose[] | null | undefined;
}

export interface Route {
  readonly agentId: string;
  readonly channel: string;
  readonly accountId: string;
  readonly sessionKey: string;
  readonly mainSessionKey: string;
  readonly matchedBy: MatchedBy;
  /** Whether the place to answer to is remembered for the agent's main session or for this session alone. */
  readonly lastRoutePolicy: 'main' | 'session';
}

/** The bindings of one configuration revision. Immutable: compile once, resolve often, from anywhere in the process. */
export interface CompiledRoutes {
  /** The revision that was compiled; messages pin it. Undefined where the caller counts none. */
  readonly revision: number | undefined;
  /** How many bindings take part. */
  readonly bindingCount: number;
  /** Bindings that are disabled or lead elsewhere than written, in the order of the configuration. */
  readonly problems: readonly BindingProblem[];
  readonly channels: ReadonlyMap<string, Pick<ChannelIndex, 'bindings' | 'fallback' | 'names' | 'of'>>;
  readonly defaultAgentId: string;
  readonly dm: DmRules;
}

const COMPILED = new WeakSet<object>();

/**
 * Prepares a configuration for {@link resolveRoute}: about 1 µs per binding once, so that a lookup costs the same with ten bindings and
 * with ten thousand. Nothing of `config` is kept; garbage in it is skipped and listed in `problems`.
 */
export function compileRoutes(config: RoutingConfig, revision?: number): CompiledRoutes {
  const agents = agentDirectory(config);
  const rules = Object.freeze(dmRules(config.session));
  // Ten thousand bindings to five agents on four channels share twenty targets.
  const targets = new Map<string, AgentTarget>();
  const target = (agentId: string, channel: string): AgentTarget => getOrAdd(targets, `${agentId} ${channel}`, () => agentTarget(agentId, channel, rules));
  const channels = new Map<string, ChannelIndex>();
  const problems: BindingProblem[] = [];
  let bindingCount = 0;
  for (const [index, entry] of listOf(config.bindings).entries()) {
    const { channel, binding, problem } = readBinding(entry, index, agents, target);
    if (problem) problems.push(problem);
    if (!binding) continue;
    bindingCount += 1;
    getOrAdd(channels, channel, () => new ChannelIndex(target(agents.defaultId, channel))).add(binding);
  }
  for (const channel of channels.values()) channel.seal();
  const compiled: CompiledRoutes = Object.freeze({
    revision,
    bindingCount,
    problems: Object.freeze(problems),
    channels,
    defaultAgentId: agents.defaultId,
    dm: rules,
  });
  COMPILED.add(compiled);
  return compiled;
}

/** A message in the form that lookups need. */
export interface RouteQuery {
  readonly channel: string;
  readonly accountId: string;
  readonly peer: QueryPeer | undefined;
  readonly parent: QueryPeer | undefined;
  readonly place: Place;
}

export interface QueryPeer {
  /** Word for the key; anything that is no `dm` makes a group-like key. */
  readonly kind: string;
  readonly class: PeerClass | undefined;
  /** Trimmed, letter case kept. */
  readonly id: string;
}

const NO_ROLES: readonly string[] = [];

/** What is spelled as the configuration spells it needs no normalising: the common case, and the reason for the lookups. */
export function readRouteInput({ channels }: CompiledRoutes, input: RouteInput): RouteQuery {
  const known = channels.get(input.channel as string);
  const channel = known ? (input.channel as string) : lowered(input.channel);
  const roles = input.memberRoleIds;
  return {
    channel,
    accountId: known?.names(input.accountId) ? input.accountId : normaliseAccountId(input.accountId),
    peer: readPeer(input.peer),
    parent: readPeer(input.parentPeer),
    place: {
      guildId: trimmed(input.guildId),
      teamId: trimmed(input.teamId),
      roles: Array.isArray(roles) && roles.length > 0 ? roles.map(trimmed) : NO_ROLES,
    },
  };
}

function readPeer(peer: PeerMatch | null | undefined): QueryPeer | undefined {
  if (peer === null || peer === undefined || typeof peer !== 'object') return undefined;
  const kind = normalisePeerKind(peer.kind);
  return { kind, class: peerClassOf(kind), id: trimmed(peer.id) };
}

/** Strongest first. Within a tier the first binding of the configuration wins. */
export const TIERS: readonly { readonly matchedBy: MatchedBy; readonly find: (bindings: AccountBindings, query: RouteQuery) => CompiledBinding | undefined }[] =
  [
    { matchedBy: 'binding.peer', find: (bindings, query) => byPeer(bindings, query.peer, query.place) },
    { matchedBy: 'binding.peer.parent', find: (bindings, query) => byPeer(bindings, query.parent, query.place) },
    {
      matchedBy: 'binding.peer.wildcard',
      find: (bindings, { peer, place }) => (peer?.class === undefined ? undefined : bindings.byPeer(peer.class, ANY, place)),
    },
    { matchedBy: 'binding.guild+roles', find: (bindings, { place }) => bindings.byPlace('guild+roles', place) },
    { matchedBy: 'binding.guild', find: (bindings, { place }) => bindings.byPlace('guild', place) },
    { matchedBy: 'binding.team', find: (bindings, { place }) => bindings.byPlace('team', place) },
    { matchedBy: 'binding.account', find: (bindings) => bindings.byAccount() },
    { matchedBy: 'binding.channel', find: (bindings) => bindings.byChannel() },
  ];

function byPeer(bindings: AccountBindings, peer: QueryPeer | undefined, place: Place): CompiledBinding | undefined {
  return peer?.class === undefined || peer.id === '' ? undefined : bindings.byPeer(peer.class, peer.id, place);
}

/**
 * Which agent and session a message goes to, and why. Pure: the same input always gives the same route, and every input gives one. Given
 * a plain configuration it compiles it first; whoever asks more than once compiles himself.
 */
export function resolveRoute(routes: CompiledRoutes | RoutingConfig, input: RouteInput): Route {
  const compiled = COMPILED.has(routes) ? (routes as CompiledRoutes) : compileRoutes(routes as RoutingConfig);
  const query = readRouteInput(compiled, input);
  const index = compiled.channels.get(query.channel);
  if (index) {
    const bindings = index.of(query.accountId);
    for (const tier of TIERS) {
      const hit = tier.find(bindings, query);
      if (hit) return routeTo(hit.agent, tier.matchedBy, query);
    }
  }
  return routeTo(fallbackAgent(compiled, query), 'default', query);
}

export function fallbackAgent(compiled: CompiledRoutes, { channel }: RouteQuery): AgentTarget {
  return compiled.channels.get(channel)?.fallback ?? agentTarget(compiled.defaultAgentId, channel === '' ? UNKNOWN_PART : channel, compiled.dm);
}

export function routeTo({ agentId, keys }: AgentTarget, matchedBy: MatchedBy, { peer, channel, accountId }: RouteQuery): Route {
  // A peer without an id is a conversation with somebody unknown; no peer at all is the main session.
  const sessionKey = peer ? keys.of(peer.kind, peer.id === '' ? UNKNOWN_PART : peer.id.toLowerCase(), accountId) : keys.mainKey;
  const lastRoutePolicy = sessionKey === keys.mainKey ? 'main' : 'session';
  return { agentId, channel, accountId, sessionKey, mainSessionKey: keys.mainKey, matchedBy, lastRoutePolicy };
}
