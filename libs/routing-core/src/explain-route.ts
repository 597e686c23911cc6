import type { CompiledBinding } from './binding.js';
import { placeHolds } from './binding-index.js';
import {
  type CompiledRoutes,
  fallbackAgent,
  type MatchedBy,
  type QueryPeer,
  type Route,
  type RouteInput,
  type RouteQuery,
  readRouteInput,
  routeTo,
  TIERS,
} from './route.js';

/** What one tier said about a message. */
export interface TierExplanation {
  readonly tier: MatchedBy;
  /** False for tiers behind the one that decided. */
  readonly tried: boolean;
  readonly matched: boolean;
  /** One sentence for people. */
  readonly reason: string;
  /** Index in `bindings` of the binding that matched. */
  readonly binding?: number;
}

export interface RouteExplanation {
  readonly route: Route;
  /** All nine tiers, strongest first. */
  readonly tiers: readonly TierExplanation[];
  /** The configuration revision that was asked, where the caller counts them. */
  readonly revision: number | undefined;
}

/** The same answer as `resolveRoute`, with what every tier said. Slower: meant for people. */
export function explainRoute(compiled: CompiledRoutes, input: RouteInput): RouteExplanation {
  const query = readRouteInput(compiled, input);
  const index = compiled.channels.get(query.channel);
  const bindings = index?.of(query.accountId);
  const candidates = (index?.bindings ?? []).filter((binding) => binding.accountId === '*' || binding.accountId === query.accountId);
  const tiers: TierExplanation[] = [];
  let hit: { binding: CompiledBinding; matchedBy: MatchedBy } | undefined;
  for (const { matchedBy, find } of TIERS) {
    if (hit) {
      tiers.push({ tier: matchedBy, tried: false, matched: false, reason: `${hit.matchedBy} decided before` });
      continue;
    }
    const binding = bindings && find(bindings, query);
    if (binding) hit = { binding, matchedBy };
    const reason = binding ? describe(binding) : whyNot(matchedBy, query, candidates, index?.bindings.length ?? 0);
    tiers.push({ tier: matchedBy, tried: true, matched: binding !== undefined, reason, ...(binding ? { binding: binding.index } : {}) });
  }
  const route = routeTo(hit?.binding.agent ?? fallbackAgent(compiled, query), hit?.matchedBy ?? 'default', query);
  const fallback = hit ? `${hit.matchedBy} decided before` : `nothing else matched; ${route.agentId} is the default agent`;
  tiers.push({ tier: 'default', tried: hit === undefined, matched: hit === undefined, reason: fallback });
  return { route, tiers, revision: compiled.revision };
}

function describe(binding: CompiledBinding): string {
  const asks = [
    binding.accountId === '*' ? 'any account' : `account ${binding.accountId}`,
    ...(binding.peer ? [`${binding.peer.class} ${binding.peer.id}`] : []),
    ...(binding.guildId === '' ? [] : [`guild ${binding.guildId}`]),
    ...(binding.teamId === '' ? [] : [`team ${binding.teamId}`]),
    ...(binding.roles.length === 0 ? [] : [`one of the roles ${binding.roles.join(', ')}`]),
  ];
  return `bindings[${binding.index}] (${asks.join(', ')}) leads to ${binding.agent.agentId}`;
}

function whyNot(tier: MatchedBy, query: RouteQuery, candidates: readonly CompiledBinding[], onChannel: number): string {
  const missing = missingInput(tier, query);
  if (missing) return missing;
  if (onChannel === 0) return `no binding names the channel ${query.channel || '(blank)'}`;
  if (candidates.length === 0) return `none of the ${onChannel} bindings of ${query.channel} is for the account ${query.accountId}`;
  const near = candidates.filter((binding) => concerns(tier, binding, query));
  if (near.length === 0) return nothingNamed(tier, query);
  const places = near.slice(0, 3).map((binding) => `bindings[${binding.index}] asks for ${unmet(binding, query)}`);
  return `${places.join('; ')}${near.length > 3 ? `; and ${near.length - 3} more` : ''}`;
}

function missingInput(tier: MatchedBy, query: RouteQuery): string | undefined {
  const { place, peer, parent } = query;
  if (tier === 'binding.peer') return peerProblem(peer, 'peer');
  if (tier === 'binding.peer.parent') return peerProblem(parent, 'parent conversation');
  if (tier === 'binding.peer.wildcard') return peer?.class === undefined ? peerProblem(peer, 'peer') : undefined;
  if (tier === 'binding.guild+roles')
    return place.guildId === '' ? 'the message names no guild' : place.roles.length === 0 ? 'the sender has no roles' : undefined;
  if (tier === 'binding.guild') return place.guildId === '' ? 'the message names no guild' : undefined;
  return tier === 'binding.team' && place.teamId === '' ? 'the message names no team' : undefined;
}

function peerProblem(peer: QueryPeer | undefined, what: string): string | undefined {
  if (!peer) return `the message names no ${what}`;
  if (peer.class === undefined) return `bindings know no ${what} of the kind ${peer.kind}`;
  return peer.id === '' ? `the ${what} has no id` : undefined;
}

/** Bindings that name the tier's own fact and fail on another constraint. */
function concerns(tier: MatchedBy, binding: CompiledBinding, query: RouteQuery): boolean {
  if (placeHolds(binding, query.place)) return false;
  const names = (peer: QueryPeer | undefined): boolean => binding.peer !== undefined && binding.peer.class === peer?.class && binding.peer.id === peer?.id;
  switch (tier) {
    case 'binding.peer':
      return names(query.peer);
    case 'binding.peer.parent':
      return names(query.parent);
    case 'binding.peer.wildcard':
      return binding.shape === 'wildcard' && binding.peer?.class === query.peer?.class;
    case 'binding.guild+roles':
    case 'binding.guild':
      return `binding.${binding.shape}` === tier && binding.guildId === query.place.guildId;
    case 'binding.team':
      return binding.shape === 'team' && binding.teamId === query.place.teamId;
    default:
      return false;
  }
}

function unmet(binding: CompiledBinding, { place }: RouteQuery): string {
  if (binding.guildId !== '' && binding.guildId !== place.guildId) return `the guild ${binding.guildId}`;
  if (binding.teamId !== '' && binding.teamId !== place.teamId) return `the team ${binding.teamId}`;
  return `one of the roles ${binding.roles.join(', ')}`;
}

function nothingNamed(tier: MatchedBy, { peer, parent, place, accountId, channel }: RouteQuery): string {
  const target = `${channel}/${accountId}`;
  switch (tier) {
    case 'binding.peer':
      return `no binding of ${target} names the ${peer?.class} ${peer?.id}`;
    case 'binding.peer.parent':
      return `no binding of ${target} names the ${parent?.class} ${parent?.id}`;
    case 'binding.peer.wildcard':
      return `no binding of ${target} is for every ${peer?.class}`;
    case 'binding.guild+roles':
      return `no binding of ${target} names roles of the guild ${place.guildId}`;
    case 'binding.guild':
      return `no binding of ${target} names the guild ${place.guildId}`;
    case 'binding.team':
      return `no binding of ${target} names the team ${place.teamId}`;
    case 'binding.account':
      return `no binding is for the account ${accountId} as a whole`;
    default:
      return `no binding is for every account of ${channel}`;
  }
}
