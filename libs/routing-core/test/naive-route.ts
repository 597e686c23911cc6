import type { BindingEntry, MatchedBy, PeerMatch, RouteInput, RoutingConfig } from '../src/index.js';

/** The rules of route resolution read off the page, one filter per tier: slow, and meant to be obviously right. */
export function naiveRoute(config: RoutingConfig, input: RouteInput): { agentId: string; matchedBy: MatchedBy } {
  const channel = text(input.channel).toLowerCase();
  const account = accountOf(input.accountId);
  const candidates = (config.bindings ?? []).filter((binding): binding is BindingEntry => {
    if (!binding || typeof binding !== 'object' || !binding.match || typeof binding.match !== 'object') return false;
    if (channel === '' || text(binding.match.channel).toLowerCase() !== channel) return false;
    const wanted = text(binding.match.accountId);
    return wanted === '*' || accountOf(wanted) === account;
  });
  const usable = candidates.filter(({ match }) => match.peer === null || match.peer === undefined || (isClass(match.peer) && text(match.peer.id) !== ''));
  const held = usable.filter(({ match }) => {
    const roles = rolesOf(match.roles);
    if (text(match.guildId) !== '' && text(match.guildId) !== text(input.guildId)) return false;
    if (text(match.teamId) !== '' && text(match.teamId) !== text(input.teamId)) return false;
    return roles.length === 0 || roles.some((role) => rolesOf(input.memberRoleIds).includes(role));
  });
  const same = (peer: PeerMatch | null | undefined) => (binding: BindingEntry) =>
    peer &&
    binding.match.peer &&
    text(peer.id) !== '' &&
    classOf(peer) !== undefined &&
    classOf(peer) === classOf(binding.match.peer) &&
    text(peer.id) === text(binding.match.peer.id);
  const open = held.filter(({ match }) => match.peer === null || match.peer === undefined);
  const guilds = open.filter(({ match }) => text(match.guildId) !== '');
  const rest = open.filter(({ match }) => text(match.guildId) === '');
  const bare = rest.filter(({ match }) => text(match.teamId) === '' && rolesOf(match.roles).length === 0);
  const tiers: [MatchedBy, BindingEntry[]][] = [
    ['binding.peer', held.filter(same(input.peer))],
    ['binding.peer.parent', held.filter(same(input.parentPeer))],
    [
      'binding.peer.wildcard',
      held.filter(({ match }) => input.peer && match.peer && text(match.peer.id) === '*' && classOf(match.peer) === classOf(input.peer)),
    ],
    ['binding.guild+roles', guilds.filter(({ match }) => rolesOf(match.roles).length > 0)],
    ['binding.guild', guilds.filter(({ match }) => rolesOf(match.roles).length === 0)],
    ['binding.team', rest.filter(({ match }) => text(match.teamId) !== '')],
    ['binding.account', bare.filter(({ match }) => text(match.accountId) !== '*')],
    ['binding.channel', bare.filter(({ match }) => text(match.accountId) === '*')],
  ];
  for (const [matchedBy, hits] of tiers) if (hits[0]) return { agentId: agentOf(config, text(hits[0].agentId)), matchedBy };
  return { agentId: agentOf(config, ''), matchedBy: 'default' };
}

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : typeof value === 'number' && Number.isFinite(value) ? String(value) : '');
const rolesOf = (roles: unknown): string[] => (Array.isArray(roles) ? roles.map(text).filter((role) => role !== '') : []);
const accountOf = (value: unknown): string => clean(text(value)) || 'default';
const clean = (value: string): string =>
  value
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '');

function classOf(peer: PeerMatch): string | undefined {
  const kind = text(peer.kind).toLowerCase() || 'dm';
  if (kind === 'dm' || kind === 'direct') return 'dm';
  return kind === 'group' || kind === 'channel' ? 'group' : undefined;
}
const isClass = (peer: PeerMatch): boolean => text(peer.kind) !== '' && classOf(peer) !== undefined;

function agentOf(config: RoutingConfig, wanted: string): string {
  const list = (config.agents?.list ?? []).filter((agent) => agent !== null && typeof agent === 'object');
  const ids = list.map((agent) => clean(text(agent?.id)) || 'main');
  const fallback = ids[list.findIndex((agent) => agent?.default === true)] ?? ids[0] ?? 'main';
  if (wanted === '') return fallback;
  const id = clean(wanted) || 'main';
  return ids.length === 0 || ids.includes(id) ? id : fallback;
}
