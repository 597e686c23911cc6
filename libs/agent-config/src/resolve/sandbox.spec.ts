import fc from 'fast-check';
import { ownerKeyOf, recreateDecision, resolveSandbox, sandboxHash, shouldPrune, type TenantConfigInput } from '../index.js';
import { configOf, validDocument } from '../../test/documents.js';

const HOUR = 3_600_000;
type Sandbox = NonNullable<NonNullable<TenantConfigInput['agents']>['defaults']>['sandbox'];
const resolved = (global: Sandbox, own: Sandbox) =>
  resolveSandbox(configOf({ agents: { defaults: { sandbox: global }, list: [{ id: 'a', sandbox: own }] } }), 'a');

describe('resolveSandbox', () => {
  it('D5: scope shared keeps the global 24 h, scope agent takes the 1 h of the agent', () => {
    const prune = { idleMs: 24 * HOUR, maxAgeMs: 7 * 24 * HOUR };
    expect(resolved({ scope: 'shared', prune }, { prune: { idleMs: HOUR } }).prune).toEqual(prune);
    expect(resolved({ scope: 'agent', prune }, { prune: { idleMs: HOUR } }).prune).toEqual({ idleMs: HOUR, maxAgeMs: prune.maxAgeMs });
  });

  it('D5: 0/0 never prunes; exactly at the limit is kept, one millisecond later is pruned', () => {
    const entry = { createdAt: 0, lastUsedAt: 0 };
    expect(shouldPrune(entry, { idleMs: 0, maxAgeMs: 0 }, Number.MAX_SAFE_INTEGER)).toBe(false);
    expect(shouldPrune(entry, { idleMs: HOUR, maxAgeMs: 0 }, HOUR)).toBe(false);
    expect(shouldPrune(entry, { idleMs: HOUR, maxAgeMs: 0 }, HOUR + 1)).toBe(true);
    expect(shouldPrune({ createdAt: 0, lastUsedAt: HOUR }, { idleMs: HOUR, maxAgeMs: HOUR }, HOUR)).toBe(false);
    expect(shouldPrune({ createdAt: 0, lastUsedAt: HOUR }, { idleMs: HOUR, maxAgeMs: HOUR }, HOUR + 1)).toBe(true);
  });

  it('is scope user, mode off and without any access where nothing is configured', () => {
    expect(resolveSandbox(configOf({}), 'main')).toEqual({
      mode: 'off',
      scope: 'user',
      workspaceAccess: 'none',
      docker: {
        network: 'none',
        readOnlyRoot: true,
        noNewPrivileges: true,
        workdir: '/workspace',
        tmpfs: ['/tmp', '/var/tmp', '/run'],
        capDrop: ['ALL'],
        env: { LANG: 'C.UTF-8' },
        binds: [],
      },
      browser: { enabled: false, headless: true },
      prune: { idleMs: 24 * HOUR, maxAgeMs: 7 * 24 * HOUR },
    });
  });

  it.each<[Sandbox, Sandbox, string]>([
    [{}, {}, 'user'],
    [{ perSession: true }, {}, 'session'],
    [{ perSession: false }, {}, 'shared'],
    [{ perSession: false }, { perSession: true }, 'session'],
    [{ scope: 'agent' }, { perSession: true }, 'agent'],
    [{ scope: 'agent' }, { scope: 'session' }, 'session'],
    [{ perSession: true }, { scope: 'user' }, 'user'],
  ])('of %j and the agent’s %j makes scope %s: each field is resolved alone', (global, own, scope) => expect(resolved(global, own).scope).toBe(scope));

  it('reads the short form agents.list[].scope, which sandbox.scope overrides', () => {
    const config = configOf({
      agents: {
        defaults: { sandbox: { scope: 'shared' } },
        list: [
          { id: 'a', scope: 'agent' },
          { id: 'b', scope: 'agent', sandbox: { scope: 'session' } },
        ],
      },
    });
    expect(resolveSandbox(config, 'a').scope).toBe('agent');
    expect(resolveSandbox(config, 'b').scope).toBe('session');
    expect(resolveSandbox(config, 'stranger').scope).toBe('shared');
  });

  it('merges env and ulimits by key with the agent winning, and appends its binds', () => {
    const { docker } = resolved(
      { docker: { env: { A: '1', B: '1' }, ulimits: { nofile: 1, core: 0 }, binds: ['/g:/g'], capDrop: ['NET_RAW'] } },
      { docker: { env: { B: '2' }, ulimits: { nofile: 2 }, binds: ['/a:/a'] } },
    );
    expect(docker).toMatchObject({
      env: { LANG: 'C.UTF-8', A: '1', B: '2' },
      ulimits: { nofile: 2, core: 0 },
      binds: ['/g:/g', '/a:/a'],
      capDrop: ['NET_RAW'],
    });
  });

  it('never lets an agent change what it shares', () => {
    fc.assert(
      fc.property(validDocument, (document) => {
        const config = configOf(document);
        for (const { id } of config.agents.list) {
          const sandbox = resolveSandbox(config, id);
          if (sandbox.scope !== 'shared') continue;
          const { docker, browser, prune } = resolveSandbox(config, 'stranger');
          expect(sandbox).toMatchObject({ docker, browser, prune });
        }
      }),
    );
  });
});

describe('recreateDecision', () => {
  it('replaces a sandbox whose settings changed, but only flags one that was used within five minutes', () => {
    const hash = sandboxHash(resolved({}, {}));
    const other = sandboxHash(resolved({}, { docker: { image: 'x' } }));
    expect(other).not.toBe(hash);
    expect(sandboxHash(resolved({}, { prune: { idleMs: 1 } }))).toBe(hash);
    const entry = { createdAt: 0, lastUsedAt: 0, hash };
    expect(recreateDecision(entry, hash, 1e9)).toBe('keep');
    expect(recreateDecision(entry, other, 300_000)).toBe('flag');
    expect(recreateDecision(entry, other, 300_001)).toBe('recreate');
  });
});

describe('ownerKeyOf', () => {
  it('names who shares the VM', () => {
    const of = { agentId: 'ops', sessionId: 's1' };
    expect((['user', 'session', 'agent', 'shared'] as const).map((scope) => ownerKeyOf(scope, of))).toEqual(['user', 'session:s1', 'agent:ops', 'shared']);
  });
});
