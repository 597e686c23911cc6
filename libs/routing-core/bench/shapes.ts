// Two shapes in which route resolution is commonly built, written from their description, as the other side of the ratios. Both give the same
// answers as the library; the benchmark checks that before it measures.
import { type BindingEntry, normaliseAccountId, normaliseAgentId, type PeerMatch, type Route, type RouteInput, type RoutingConfig } from '@plexus/routing-core';

type MatchedBy = Route['matchedBy'];
type Hit = { readonly binding: BindingEntry; readonly matchedBy: MatchedBy } | undefined;

const clean = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');
const classOf = (kind: unknown): string => {
  const word = clean(kind).toLowerCase();
  return word === 'dm' || word === 'direct' ? 'dm' : 'group';
};
const samePeer = (one: PeerMatch | null | undefined, other: PeerMatch | null | undefined): boolean =>
  !!one && !!other && classOf(one.kind) === classOf(other.kind) && clean(one.id) === clean(other.id) && clean(other.id) !== '';
const wants = (binding: BindingEntry, channel: string, account: string): boolean => {
  if (clean(binding.match.channel).toLowerCase() !== channel) return false;
  const wanted = clean(binding.match.accountId);
  return wanted === '*' || normaliseAccountId(wanted) === account;
};
const placeHolds = ({ match }: BindingEntry, input: RouteInput): boolean =>
  (clean(match.guildId) === '' || clean(match.guildId) === clean(input.guildId)) && (clean(match.teamId) === '' || clean(match.teamId) === clean(input.teamId));
const isBare = ({ match }: BindingEntry): boolean => !match.peer && clean(match.guildId) === '' && clean(match.teamId) === '';

/** The tiers as one search after another through a list of candidates. */
function search(list: readonly BindingEntry[], input: RouteInput): Hit {
  const find = (matchedBy: MatchedBy, fits: (binding: BindingEntry) => boolean): Hit => {
    const binding = list.find(fits);
    return binding && { binding, matchedBy };
  };
  return (
    find('binding.peer', (binding) => samePeer(binding.match.peer, input.peer) && placeHolds(binding, input)) ??
    find('binding.peer.parent', (binding) => samePeer(binding.match.peer, input.parentPeer) && placeHolds(binding, input)) ??
    find('binding.guild', (binding) => !binding.match.peer && clean(binding.match.guildId) !== '' && placeHolds(binding, input)) ??
    find(
      'binding.team',
      (binding) => !binding.match.peer && clean(binding.match.guildId) === '' && clean(binding.match.teamId) !== '' && placeHolds(binding, input),
    ) ??
    find('binding.account', (binding) => isBare(binding) && clean(binding.match.accountId) !== '*') ??
    find('binding.channel', (binding) => isBare(binding) && clean(binding.match.accountId) === '*')
  );
}

/** The canonical name of a peer: the links are walked, entry by entry, on every call. */
function linked(config: RoutingConfig, channel: string, peerId: string): string | undefined {
  const wanted = new Set([peerId, `${channel}:${peerId}`]);
  for (const [name, ids] of Object.entries(config.session?.identityLinks ?? {})) {
    for (const id of ids ?? []) if (wanted.has(clean(id).toLowerCase())) return name.trim();
  }
  return undefined;
}

function keyOf(config: RoutingConfig, agentId: string, channel: string, accountId: string, peer: PeerMatch | null | undefined): string {
  const id = clean(peer?.id).toLowerCase();
  const kind = clean(peer?.kind).toLowerCase() || 'dm';
  if (kind !== 'dm' && kind !== 'direct') return `agent:${agentId}:${channel}:${kind}:${id || 'unknown'}`;
  const scope = config.session?.dmScope ?? 'main';
  if (scope === 'main' || id === '') return `agent:${agentId}:main`;
  const name = (linked(config, channel, id) ?? id).toLowerCase();
  if (scope === 'per-peer') return `agent:${agentId}:dm:${name}`;
  return scope === 'per-channel-peer' ? `agent:${agentId}:${channel}:dm:${name}` : `agent:${agentId}:${channel}:${accountId}:dm:${name}`;
}

function agentOf(config: RoutingConfig, wanted: string): string {
  const list = config.agents?.list ?? [];
  const known = list.find((agent) => normaliseAgentId(agent?.id) === normaliseAgentId(wanted));
  return normaliseAgentId((wanted === '' ? undefined : known?.id) ?? list.find((agent) => agent?.default)?.id ?? list[0]?.id);
}

function answer(config: RoutingConfig, input: RouteInput, channel: string, accountId: string, hit: Hit): Route {
  const agentId = agentOf(config, clean(hit?.binding.agentId));
  const sessionKey = keyOf(config, agentId, channel, accountId, input.peer);
  const mainSessionKey = `agent:${agentId}:main`;
  const lastRoutePolicy = sessionKey === mainSessionKey ? 'main' : 'session';
  return { agentId, channel, accountId, sessionKey, mainSessionKey, matchedBy: hit?.matchedBy ?? 'default', lastRoutePolicy };
}

/** The early shape: every call filters the whole list of bindings, then searches it tier by tier. */
export function filterPerCall(config: RoutingConfig, input: RouteInput): Route {
  const channel = clean(input.channel).toLowerCase();
  const accountId = normaliseAccountId(input.accountId);
  const candidates = (config.bindings ?? []).filter((binding): binding is BindingEntry => !!binding && wants(binding, channel, accountId));
  return answer(config, input, channel, accountId, search(candidates, input));
}

interface Cache {
  /** By channel and account: candidates by the fact that they name, in order. */
  readonly indexes: Map<string, { readonly byPeer: Map<string, BindingEntry[]>; readonly others: BindingEntry[] }>;
  readonly routes: Map<string, Route>;
}

const MAX_ROUTES = 4_000;
const caches = new WeakMap<RoutingConfig, Cache>();
const peerKey = (peer: PeerMatch | null | undefined): string => (peer ? `${classOf(peer.kind)}:${clean(peer.id)}` : '-');

/** The present shape: candidates indexed per channel and account on first use, and a bounded memo of whole routes by their input. */
export function indexAndMemo(config: RoutingConfig, input: RouteInput): Route {
  const channel = clean(input.channel).toLowerCase();
  const accountId = normaliseAccountId(input.accountId);
  let cache = caches.get(config);
  if (!cache) {
    cache = { indexes: new Map(), routes: new Map() };
    caches.set(config, cache);
  }
  const roles = [...(input.memberRoleIds ?? [])].sort().join(',');
  const memo = [
    channel,
    accountId,
    peerKey(input.peer),
    peerKey(input.parentPeer),
    clean(input.guildId),
    clean(input.teamId),
    roles,
    config.session?.dmScope ?? 'main',
  ].join('\t');
  const known = cache.routes.get(memo);
  if (known) return { ...known };
  const place = `${channel}\t${accountId}`;
  let index = cache.indexes.get(place);
  if (!index) {
    index = { byPeer: new Map(), others: [] };
    for (const binding of config.bindings ?? []) {
      if (!binding || !wants(binding, channel, accountId)) continue;
      if (!binding.match.peer) index.others.push(binding);
      else index.byPeer.set(peerKey(binding.match.peer), [...(index.byPeer.get(peerKey(binding.match.peer)) ?? []), binding]);
    }
    cache.indexes.set(place, index);
  }
  const near = [...(index.byPeer.get(peerKey(input.peer)) ?? []), ...(index.byPeer.get(peerKey(input.parentPeer)) ?? []), ...index.others];
  const route = answer(config, input, channel, accountId, search(near, input));
  if (cache.routes.size >= MAX_ROUTES) cache.routes.clear();
  cache.routes.set(memo, route);
  return { ...route };
}
