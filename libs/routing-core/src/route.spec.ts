import fc from 'fast-check';
import { naiveRoute } from '../test/naive-route.js';
import { type BindingEntry, compileRoutes, explainRoute, mainSessionKey, peerSessionKey, type RouteInput, type RoutingConfig, resolveRoute } from './index.js';

const RUNS = { numRuns: 1_500 };
const pick = <T>(...values: T[]) => fc.constantFrom(...values);
const kind = pick('dm', 'direct', ' DM ', 'group', 'channel', 'Channel', 'odd', '', undefined);
const peer = fc.record({ kind, id: pick<string | number | undefined>('1', '2', ' 1 ', 'A', 'a', '*', '', 3, undefined) }, { requiredKeys: [] });
const account = pick(undefined, '', 'default', 'biz', ' BIZ ', 'Biz Team', '*');
const guildId = pick(undefined, '', 'g1', ' g1 ', 'g2');
const teamId = pick(undefined, '', 't1', 't2');
const roles = pick(undefined, [], ['r1'], ['r2', 'r1'], ['r3']);

const binding: fc.Arbitrary<BindingEntry> = fc.record({
  agentId: pick('main', 'ops', 'Ops', 'ghost', '', 'a b'),
  match: fc.record(
    { channel: pick('slack', ' Slack', 'discord', ''), accountId: account, peer: fc.option(peer, { nil: undefined }), guildId, teamId, roles },
    { requiredKeys: ['channel'] },
  ),
});
const agents = pick(undefined, { list: [] }, { list: [{ id: 'home' }, { id: 'ops', default: true }] }, { list: [{ id: 'main' }, { id: 'a b' }] });
const config = (entry: fc.Arbitrary<unknown> = binding): fc.Arbitrary<RoutingConfig> =>
  fc.record({
    agents,
    bindings: fc.array(entry, { maxLength: 40, size: 'max' }),
    session: pick(
      undefined,
      ...['per-peer', 'per-channel-peer', 'per-account-channel-peer', 'odd'].map((dmScope) => ({
        dmScope,
        identityLinks: { Ann: ['slack:1', 'a'], bob: ['1'] },
      })),
    ),
  }) as fc.Arbitrary<RoutingConfig>;
const input: fc.Arbitrary<RouteInput> = fc.record(
  {
    channel: pick('slack', 'SLACK ', 'discord', 'mars'),
    accountId: pick(undefined, 'biz', 'BIZ', 'biz team', 'other', '*'),
    peer: fc.option(peer, { nil: undefined }),
    parentPeer: fc.option(peer, { nil: null }),
    guildId,
    teamId,
    memberRoleIds: roles,
  },
  { requiredKeys: ['channel'] },
) as fc.Arbitrary<RouteInput>;

test('the compiled routes answer like the rules read off the page', () => {
  fc.assert(
    fc.property(config(), input, (tenant, message) => {
      const route = resolveRoute(compileRoutes(tenant), message);
      expect(route).toMatchObject(naiveRoute(tenant, message));
      const { agentId, channel, accountId } = route;
      const own = { peerKind: message.peer?.kind, peerId: message.peer && (String(message.peer.id ?? '').trim() || 'unknown') };
      expect(route.sessionKey).toBe(peerSessionKey({ ...tenant.session, agentId, channel, accountId, mainKey: 'main', ...own }));
    }),
    RUNS,
  );
});

test('many bindings for one peer in different places are told apart as few are', () => {
  const places = fc.record({ guildId: pick('g1', 'g2', undefined), teamId: pick('t1', undefined), roles });
  const crowded = fc.record({
    agentId: pick('main', 'ops', 'c', 'd'),
    match: places.map((place) => ({ channel: 'slack', peer: { kind: 'group', id: '1' }, ...place })),
  });
  const message = fc.record({ guildId: pick('g1', 'g2', 'g3', undefined), teamId: pick('t1', 't2', undefined), memberRoleIds: roles });
  fc.assert(
    fc.property(fc.array(crowded, { minLength: 7, maxLength: 60, size: 'max' }), message, (bindings, place) => {
      const asked = { channel: 'slack', peer: { kind: 'channel', id: '1' }, ...place };
      expect(resolveRoute(compileRoutes({ bindings }), asked)).toMatchObject(naiveRoute({ bindings }, asked));
    }),
    RUNS,
  );
});

test('only the order among bindings of the same tier matters', () => {
  const blank = (value: unknown): boolean => String(value ?? '').trim() === '';
  const tierOf = ({ match }: BindingEntry): string => {
    if (match.peer) return 'peer';
    if (!blank(match.guildId)) return (match.roles ?? []).length > 0 ? 'guild+roles' : 'guild';
    if (!blank(match.teamId)) return 'team';
    return String(match.accountId ?? '').trim() === '*' ? 'channel' : 'account';
  };
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 20 }), input, fc.func(fc.integer({ min: 0, max: 9 })), (bindings, message, rank) => {
      // A stable sort by tier keeps the relative order inside each tier.
      const reordered = [...bindings].sort((one, other) => rank(tierOf(one)) - rank(tierOf(other)));
      expect(resolveRoute(compileRoutes({ bindings: reordered }), message)).toEqual(resolveRoute(compileRoutes({ bindings }), message));
    }),
    RUNS,
  );
});

test('each tier is decided by itself: bindings of distinct tiers in any order give one answer', () => {
  const ladder: BindingEntry[] = [
    { agentId: 'peer', match: { channel: 'x', peer: { kind: 'channel', id: 'c' } } },
    { agentId: 'parent', match: { channel: 'x', peer: { kind: 'channel', id: 'p' } } },
    { agentId: 'wild', match: { channel: 'x', peer: { kind: 'group', id: '*' } } },
    { agentId: 'roles', match: { channel: 'x', guildId: 'g', roles: ['r'] } },
    { agentId: 'guild', match: { channel: 'x', guildId: 'g' } },
    { agentId: 'team', match: { channel: 'x', teamId: 't' } },
    { agentId: 'account', match: { channel: 'x' } },
    { agentId: 'channel', match: { channel: 'x', accountId: '*' } },
  ];
  const message = {
    channel: 'x',
    peer: { kind: 'channel', id: 'c' },
    parentPeer: { kind: 'channel', id: 'p' },
    guildId: 'g',
    teamId: 't',
    memberRoleIds: ['r'],
  };
  fc.assert(
    fc.property(fc.shuffledSubarray(ladder, { minLength: 1 }), (bindings) => {
      const strongest = ladder.find((entry) => bindings.includes(entry));
      expect(resolveRoute(compileRoutes({ bindings }), message).agentId).toBe(strongest?.agentId);
    }),
  );
});

test('the explanation gives the same route and names exactly one tier that matched', () => {
  fc.assert(
    fc.property(config(), input, (tenant, message) => {
      const routes = compileRoutes(tenant, 7);
      const { route, tiers, revision } = explainRoute(routes, message);
      expect(route).toEqual(resolveRoute(routes, message));
      expect(revision).toBe(7);
      expect(tiers.map(({ tier }) => tier)).toHaveLength(9);
      expect(tiers.filter(({ matched }) => matched).map(({ tier }) => tier)).toEqual([route.matchedBy]);
      const decided = tiers.findIndex(({ matched }) => matched);
      expect(tiers.map(({ tried }) => tried)).toEqual(tiers.map((_, at) => at <= decided));
      for (const { reason } of tiers) expect(reason).not.toMatch(/undefined|NaN|\[object/);
    }),
    RUNS,
  );
});

test('garbage in a configuration or a message never breaks routing', () => {
  const garbage = fc.anything({ withBigInt: true, withNullPrototype: true, withObjectString: true });
  const wild = fc.record({
    agentId: garbage,
    match: fc.oneof(garbage, fc.record({ channel: pick('x'), accountId: garbage, peer: garbage, guildId: garbage, roles: garbage })),
  });
  fc.assert(
    fc.property(fc.oneof(garbage, fc.array(fc.oneof(garbage, wild))), garbage, garbage, garbage, garbage, (bindings, list, session, peerValue, roleIds) => {
      const tenant = { bindings, agents: { list }, session } as RoutingConfig;
      const message = { channel: 'x', peer: peerValue, parentPeer: peerValue, guildId: peerValue, memberRoleIds: roleIds } as RouteInput;
      const routes = compileRoutes(tenant);
      const route = resolveRoute(routes, message);
      expect(route.sessionKey.startsWith(`agent:${route.agentId}:`)).toBe(true);
      expect(route.mainSessionKey).toBe(mainSessionKey(route.agentId));
      explainRoute(routes, message);
    }),
    RUNS,
  );
});

test('a compiled revision does not change with the configuration it came from', () => {
  const bindings = [{ agentId: 'ops', match: { channel: 'x', accountId: '*' } }];
  const identityLinks: Record<string, string[]> = { alice: ['1'] };
  const tenant = { bindings, session: { dmScope: 'per-peer', identityLinks } };
  const routes = compileRoutes(tenant);
  const message = { channel: 'x', peer: { kind: 'dm', id: '1' } };
  const before = resolveRoute(routes, message);
  bindings.pop();
  identityLinks.alice = [];
  expect(resolveRoute(routes, message)).toEqual(before);
  expect(() => Object.assign(routes, { revision: 2 })).toThrow();
});

test('a plain configuration is as good as a compiled one', () => {
  fc.assert(fc.property(config(), input, (tenant, message) => expect(resolveRoute(tenant, message)).toEqual(resolveRoute(compileRoutes(tenant), message))));
});

test('bindings that do less than they say are listed with what to do', () => {
  const { problems, bindingCount } = compileRoutes({
    agents: { list: [{ id: 'main' }] },
    bindings: [
      null,
      { agentId: 'main', match: { channel: ' ' } },
      { agentId: 'main', match: { channel: 'x', peer: { kind: 'room', id: '1' } } },
      { agentId: 'main', match: { channel: 'x', roles: ['r'] } },
      { agentId: 'ghost', match: { channel: 'x' } },
      { agentId: 'MAIN', match: { channel: 'x', accountId: '*' } },
    ],
  });
  expect(bindingCount).toBe(2);
  expect(problems.map(({ index, code }) => [index, code])).toEqual([
    [0, 'NOT_A_BINDING'],
    [1, 'NO_CHANNEL'],
    [2, 'UNUSABLE_PEER'],
    [3, 'ROLES_WITHOUT_PLACE'],
    [4, 'UNKNOWN_AGENT'],
  ]);
  for (const { message, hint } of problems) expect([message, hint]).toEqual([expect.stringMatching(/\.$/), expect.stringMatching(/\.$/)]);
});

test('the answer goes back to the main session exactly when the message went there', () => {
  const route = (dmScope: string) => resolveRoute({ session: { dmScope } }, { channel: 'x', peer: { kind: 'dm', id: '1' } }).lastRoutePolicy;
  expect([route('main'), route('per-peer')]).toEqual(['main', 'session']);
});
