import { defaultAgentId, selectAgent } from './agents.js';
import { DEFAULT_ACCOUNT_ID, type Loose, lowered, normaliseAccountId, trimmed, UNKNOWN_PART } from './normalise.js';
import type { BindingEntry, PeerMatch, RoutingConfig, SessionSettings } from './routing-config.js';
import { mainSessionKey, normalisePeerKind, peerSessionKey } from './session-key.js';

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
  readonly memberRoleIds?: readonly string[] | null | undefined;
}

export interface Route {
  readonly agentId: string;
  readonly channel: string;
  readonly accountId: string;
  readonly sessionKey: string;
  readonly mainSessionKey: string;
  readonly matchedBy: MatchedBy;
}

interface CompiledBinding {
  readonly agentId: Loose;
  /** `*`: any account. */
  readonly accountId: string;
  /** `unusable`: a peer is named but could never match; the whole binding is then disabled. */
  readonly peer: { readonly kind: string; readonly id: string } | 'unusable' | undefined;
  readonly guildId: string;
  readonly teamId: string;
  readonly roles: readonly string[];
}

/** The bindings of one configuration revision, by channel. Compile once, resolve often. */
export interface CompiledRoutes {
  readonly config: RoutingConfig;
  readonly byChannel: ReadonlyMap<string, readonly CompiledBinding[]>;
}

const ANY = '*';
/** Groups and channels stand for one another; direct messages never match either. */
const peerClass = (kind: string): string | undefined => (kind === 'dm' ? 'dm' : kind === 'group' || kind === 'channel' ? 'group' : undefined);

/** Prepares a configuration for {@link resolveRoute}. Bindings without a channel are skipped. */
export function compileRoutes(config: RoutingConfig): CompiledRoutes {
  const byChannel = new Map<string, CompiledBinding[]>();
  for (const binding of config.bindings ?? []) {
    const channel = lowered(binding?.match?.channel);
    if (!binding || channel === '') continue;
    const list = byChannel.get(channel) ?? [];
    byChannel.set(channel, list);
    list.push(compileBinding(binding));
  }
  return { config, byChannel };
}

function compileBinding({ agentId, match }: BindingEntry): CompiledBinding {
  const account = trimmed(match.accountId);
  return {
    agentId,
    accountId: account === ANY ? ANY : account === '' ? DEFAULT_ACCOUNT_ID : normaliseAccountId(account),
    peer: match.peer ? compilePeer(match.peer) : undefined,
    guildId: trimmed(match.guildId),
    teamId: trimmed(match.teamId),
    roles: match.roles ?? [],
  };
}

function compilePeer(peer: PeerMatch): { kind: string; id: string } | 'unusable' {
  const kind = trimmed(peer.kind) === '' ? undefined : peerClass(normalisePeerKind(peer.kind));
  const id = trimmed(peer.id);
  return kind === undefined || id === '' ? 'unusable' : { kind, id };
}

interface Tier {
  readonly matchedBy: MatchedBy;
  readonly fits: (binding: CompiledBinding, input: Matchable) => boolean;
}

interface Matchable {
  readonly peer: { readonly kind: string | undefined; readonly id: string } | undefined;
  readonly parent: { readonly kind: string | undefined; readonly id: string } | undefined;
  readonly guildId: string;
  readonly teamId: string;
  readonly roles: ReadonlySet<string>;
}

const named = (binding: CompiledBinding) => (binding.peer === 'unusable' ? undefined : binding.peer);
const samePeer = (binding: CompiledBinding, peer: Matchable['peer']): boolean => {
  const wanted = named(binding);
  return wanted !== undefined && peer !== undefined && peer.id !== '' && wanted.kind === peer.kind && wanted.id === peer.id;
};
const hasRole = (binding: CompiledBinding, input: Matchable): boolean => binding.roles.some((role) => input.roles.has(role));
/** Everything beside the peer that a binding asks for must hold as well. */
const scopeHolds = (binding: CompiledBinding, input: Matchable): boolean =>
  (binding.guildId === '' || binding.guildId === input.guildId) &&
  (binding.teamId === '' || binding.teamId === input.teamId) &&
  (binding.roles.length === 0 || hasRole(binding, input));
const noPeer = (binding: CompiledBinding): boolean => binding.peer === undefined;
const unscoped = (binding: CompiledBinding): boolean => noPeer(binding) && binding.guildId === '' && binding.teamId === '' && binding.roles.length === 0;

/** Strongest first. Within a tier the first binding of the configuration wins. */
const TIERS: readonly Tier[] = [
  { matchedBy: 'binding.peer', fits: (binding, input) => samePeer(binding, input.peer) && scopeHolds(binding, input) },
  { matchedBy: 'binding.peer.parent', fits: (binding, input) => samePeer(binding, input.parent) && scopeHolds(binding, input) },
  {
    matchedBy: 'binding.peer.wildcard',
    fits: (binding, input) => named(binding)?.id === ANY && named(binding)?.kind === input.peer?.kind && scopeHolds(binding, input),
  },
  {
    matchedBy: 'binding.guild+roles',
    fits: (binding, input) => noPeer(binding) && binding.guildId !== '' && binding.roles.length > 0 && scopeHolds(binding, input),
  },
  {
    matchedBy: 'binding.guild',
    fits: (binding, input) => noPeer(binding) && binding.guildId !== '' && binding.roles.length === 0 && scopeHolds(binding, input),
  },
  { matchedBy: 'binding.team', fits: (binding, input) => noPeer(binding) && binding.guildId === '' && binding.teamId !== '' && scopeHolds(binding, input) },
  { matchedBy: 'binding.account', fits: (binding) => unscoped(binding) && binding.accountId !== ANY },
  { matchedBy: 'binding.channel', fits: (binding) => unscoped(binding) && binding.accountId === ANY },
];

/** Which agent and session a message goes to, and why. Pure; the same input always gives the same route. */
export function resolveRoute(routes: CompiledRoutes, input: RouteInput): Route {
  const channel = lowered(input.channel);
  const accountId = normaliseAccountId(input.accountId);
  const candidates = (routes.byChannel.get(channel) ?? []).filter((binding) => binding.accountId === ANY || binding.accountId === accountId);
  const matchable: Matchable = {
    peer: matchablePeer(input.peer),
    parent: matchablePeer(input.parentPeer),
    guildId: trimmed(input.guildId),
    teamId: trimmed(input.teamId),
    roles: new Set(input.memberRoleIds ?? []),
  };
  for (const tier of TIERS) {
    const hit = candidates.find((binding) => tier.fits(binding, matchable));
    if (hit) return routeTo(routes.config, selectAgent(routes.config, hit.agentId), tier.matchedBy, channel, accountId, input);
  }
  return routeTo(routes.config, defaultAgentId(routes.config), 'default', channel, accountId, input);
}

function matchablePeer(peer: PeerMatch | null | undefined): Matchable['peer'] {
  return peer ? { kind: peerClass(normalisePeerKind(peer.kind)), id: trimmed(peer.id) } : undefined;
}

function routeTo(config: RoutingConfig, agentId: string, matchedBy: MatchedBy, channel: string, accountId: string, input: RouteInput): Route {
  const session: SessionSettings = config.session ?? {};
  const sessionKey = peerSessionKey({
    agentId,
    channel,
    accountId,
    peerKind: input.peer?.kind,
    // A peer without an id is a conversation with somebody unknown; no peer at all is the main session.
    peerId: input.peer ? trimmed(input.peer.id) || UNKNOWN_PART : undefined,
    dmScope: session.dmScope,
    identityLinks: session.identityLinks,
  });
  return { agentId, channel, accountId, sessionKey, mainSessionKey: mainSessionKey(agentId), matchedBy };
}
