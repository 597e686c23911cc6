import fc from 'fast-check';
import {
  bindingConflicts,
  channelAccounts,
  defaultAccountOf,
  nextDue,
  parsePlatformConfig,
  resolveLanes,
  resolveLimits,
  resolveModel,
  resolveQueue,
  schedulesOf,
} from '../index.js';
import { configOf, validDocument } from '../../test/documents.js';

describe('resolveLanes', () => {
  it('is 4, 8 and 1, and prefers lanes to the older places', () => {
    expect(resolveLanes(configOf({}))).toEqual({ main: 4, subagent: 8, cron: 1 });
    const older = { agents: { defaults: { maxConcurrent: 2, subagents: { maxConcurrent: 3 } } }, cron: { maxConcurrent: 5 } };
    expect(resolveLanes(configOf(older))).toEqual({ main: 2, subagent: 3, cron: 5 });
    expect(resolveLanes(configOf({ ...older, lanes: { main: 9, cron: 6 } }))).toEqual({ main: 9, subagent: 3, cron: 6 });
  });
});

describe('resolveLimits', () => {
  it('never exceeds what the platform grants', () => {
    const platform = parsePlatformConfig({ tenants: { acme: { limits: { vms: 5, connectionsPerUser: 10 } } } });
    if (!platform.ok) throw new Error('must be valid');
    const config = configOf({ limits: { vms: 50, connectionsPerUser: 2, requestsPerMinute: 7 } });
    expect(resolveLimits(platform.value, 'acme', config)).toEqual({ vms: 5, connectionsPerUser: 2, requestsPerMinute: 7 });
    expect(resolveLimits(platform.value, 'other', configOf({}))).toEqual({});
  });
});

describe('resolveQueue', () => {
  it('takes each field from the most specific place that has it', () => {
    expect(resolveQueue(configOf({}), {})).toEqual({ mode: 'collect', debounceMs: 1_000, cap: 20 });
    const config = configOf({
      messages: { queue: { mode: 'steer', cap: 5, byChannel: { slack: { mode: 'followup' } } } },
      agents: { defaults: { queue: { debounceMs: 7, cap: 9 } }, list: [{ id: 'a', queue: { byChannel: { slack: { mode: 'interrupt' } } } }, { id: 'b' }] },
    });
    expect(resolveQueue(config, { channel: 'Slack', agentId: 'a' })).toEqual({ mode: 'interrupt', debounceMs: 7, cap: 5 });
    expect(resolveQueue(config, { channel: 'slack', agentId: 'b' })).toEqual({ mode: 'followup', debounceMs: 7, cap: 5 });
    expect(resolveQueue(config, { channel: 'constructor', agentId: 'b' })).toEqual({ mode: 'steer', debounceMs: 7, cap: 5 });
  });
});

describe('resolveModel', () => {
  const providers = {
    big: { baseUrl: 'https://big.example/v1', apiKey: `\${BIG_KEY}`, models: [{ id: 'large' }, { id: 'both' }] },
    local: { baseUrl: `\${LOCAL_URL}/v1`, models: [{ id: 'both' }] },
  };

  it('leaves the choice to the runtime where nothing is configured', () => expect(resolveModel(configOf({}), 'main')).toEqual({ fallbacks: [] }));

  it('finds the provider by prefix, or by a name that one alone offers, and hands over the key as a reference', () => {
    const config = configOf({
      models: { providers, default: 'large', fallbacks: ['local/any/thing', 'both', 'large', 'both'] },
      agents: { list: [{ id: 'a' }, { id: 'b', model: 'Big/x', models: { fallbacks: [] } }] },
    });
    expect(resolveModel(config, 'a')).toEqual({
      ref: 'large',
      provider: 'big',
      model: 'large',
      baseUrl: 'https://big.example/v1',
      apiKey: `\${BIG_KEY}`,
      fallbacks: [
        { ref: 'local/any/thing', provider: 'local', model: 'any/thing', baseUrl: `\${LOCAL_URL}/v1` },
        { ref: 'both', model: 'both' },
      ],
    });
    expect(resolveModel(config, 'b')).toMatchObject({ provider: 'big', model: 'x', fallbacks: [] });
  });
});

describe('schedulesOf', () => {
  it('hands over heartbeats and jobs with their agents, targets and zones, and leaves disabled ones out', () => {
    const config = configOf({
      heartbeat: { target: 'Slack' },
      agents: {
        defaults: { heartbeat: { everyMs: 1_800_000 } },
        list: [
          { id: 'a' },
          { id: 'b', heartbeat: { enabled: false } },
          { id: 'c', heartbeat: { everyMs: 1, to: 'C1', message: 'wake' } },
          { id: 'd', heartbeat: { everyMs: 0 } },
        ],
      },
      cron: {
        jobs: [
          { id: 'j', cron: '0 9 * * 1-5', timeZone: 'Europe/Berlin', message: 'go', target: ' NONE ' },
          { id: 'k', everyMs: 60_000, agentId: 'b', message: 'x' },
          { id: 'off', everyMs: 1_000, message: 'x', enabled: false },
        ],
      },
    });
    expect(schedulesOf(config)).toEqual([
      {
        id: 'heartbeat:a',
        kind: 'heartbeat',
        agentId: 'a',
        everyMs: 1_800_000,
        timeZone: 'UTC',
        target: 'slack',
        message: expect.stringContaining('Heartbeat'),
      },
      { id: 'heartbeat:c', kind: 'heartbeat', agentId: 'c', everyMs: 1_000, timeZone: 'UTC', target: 'slack', to: 'C1', message: 'wake' },
      { id: 'cron:j', kind: 'cron', agentId: 'a', cron: '0 9 * * 1-5', timeZone: 'Europe/Berlin', target: 'none', message: 'go' },
      { id: 'cron:k', kind: 'cron', agentId: 'b', everyMs: 60_000, timeZone: 'UTC', target: 'last', message: 'x' },
    ]);
  });

  it('keeps none where nothing is configured', () => expect(schedulesOf(configOf({}))).toEqual([]));

  it('gives every schedule its own id', () => {
    fc.assert(
      fc.property(validDocument, (document) => {
        const ids = schedulesOf(configOf(document)).map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });
});

describe('nextDue', () => {
  const at = (text: string) => Date.parse(text);
  const next = (cron: string, timeZone: string, after: string) => {
    const due = nextDue({ cron, timeZone }, at(after));
    return due === undefined ? undefined : new Date(due).toISOString();
  };

  it('reads the pattern in its zone', () => {
    expect(next('0 9 * * 1-5', 'Europe/Berlin', '2026-11-20T09:00:00Z')).toBe('2026-11-23T08:00:00.000Z');
    expect(next('0 9 * * 1-5', 'Europe/Berlin', '2026-07-01T00:00:00Z')).toBe('2026-07-01T07:00:00.000Z');
  });

  it('runs a skipped time after the gap, and a repeated one once', () => {
    expect(next('30 2 * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
    const first = next('30 2 * * *', 'Europe/Berlin', '2026-10-24T22:00:00Z') as string;
    expect(next('30 2 * * *', 'Europe/Berlin', first)).toBe('2026-10-26T01:30:00.000Z');
  });

  it('has none for a date that never comes', () => expect(next('0 0 30 2 *', 'UTC', '2026-01-01T00:00:00Z')).toBeUndefined());

  it('counts intervals from 1970, strictly after the given time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 1e10 }), fc.nat({ max: 2e12 }), (everyMs, after) => {
        const due = nextDue({ everyMs, timeZone: 'UTC' }, after) as number;
        expect(due).toBeGreaterThan(after);
        expect(due - after).toBeLessThanOrEqual(everyMs);
        expect(due % everyMs).toBe(0);
      }),
    );
  });
});

describe('channelAccounts', () => {
  it('lists every account with its defaults, in a stable order', () => {
    const config = configOf({
      channels: {
        telegram: { enabled: false, accounts: { b: {}, a: { dmPolicy: 'open', allowFrom: ['1'], settings: { botToken: `\${T}` } } } },
        slack: { accounts: { main: { groupPolicy: 'open', groupAllowFrom: [], allowFrom: ['U1'] } } },
      },
    });
    expect(channelAccounts(config)).toEqual([
      { adapter: 'slack', accountId: 'main', enabled: true, dmPolicy: 'pairing', groupPolicy: 'open', allowFrom: ['U1'], groupAllowFrom: [], settings: {} },
      {
        adapter: 'telegram',
        accountId: 'a',
        enabled: false,
        dmPolicy: 'open',
        groupPolicy: 'allowlist',
        allowFrom: ['1'],
        groupAllowFrom: ['1'],
        settings: { botToken: `\${T}` },
      },
      { adapter: 'telegram', accountId: 'b', enabled: false, dmPolicy: 'pairing', groupPolicy: 'allowlist', allowFrom: [], groupAllowFrom: [], settings: {} },
    ]);
    expect(defaultAccountOf(config, 'telegram')).toBe('a');
    expect(defaultAccountOf(configOf({ channels: { slack: { defaultAccount: 'z', accounts: { a: {}, z: {} } } } }), 'slack')).toBe('z');
    expect(defaultAccountOf(config, 'toString')).toBeUndefined();
  });
});

describe('bindingConflicts', () => {
  const bindings = (...entries: [string, Record<string, unknown>][]) =>
    configOf({ agents: { list: [{ id: 'a' }, { id: 'b' }] }, bindings: entries.map(([agentId, match]) => ({ agentId, match })) as never });

  it('tells repetitions from conflicts, comparing as the router does', () => {
    const config = bindings(
      ['a', { channel: 'slack', peer: { kind: 'dm', id: 'U1' } }],
      ['a', { channel: ' SLACK', accountId: 'Default', peer: { kind: 'direct', id: ' U1 ' } }],
      ['b', { channel: 'slack', accountId: '', peer: { kind: 'Direct', id: 'U1' } }],
      ['b', { channel: 'slack', accountId: '*', peer: { kind: 'dm', id: 'U1' } }],
      ['a', { channel: 'discord', guildId: 'g', roles: ['x', 'y'] }],
      ['b', { channel: 'discord', guildId: 'g', roles: ['y', 'x', 'x'] }],
      ['b', { channel: 'discord', guildId: 'g', roles: [] }],
    );
    expect(bindingConflicts(config).map(({ indexes, code }) => [...indexes, code])).toEqual([
      [0, 1, 'duplicate_binding'],
      [0, 2, 'conflicting_binding'],
      [4, 5, 'conflicting_binding'],
    ]);
  });
});
