import fc from 'fast-check';
import { applyPatch, configHash, diffPatch, diffPaths, planReload, RELOAD_RULES, reloadSettings, ROOT_PATH, ruleFor } from '../index.js';
import { configOf, validDocument } from '../../test/documents.js';

const kindsOf = (paths: string[]) => planReload(paths).actions.map(({ path, kind, actions }) => [path, kind, ...actions]);

describe('planReload', () => {
  it('D3: gmail watcher and hooks, restart, nothing, restart, heartbeat, and no change for an identical list of objects', () => {
    expect(kindsOf(['hooks.gmail.account', 'gateway.port', 'gateway.remote.url', 'unknownField'])).toEqual([
      ['hooks.gmail.account', 'hot', 'gmail-watcher', 'hooks'],
      ['gateway.port', 'restart', 'restart'],
      ['gateway.remote.url', 'none'],
      ['unknownField', 'restart', 'restart'],
    ]);
    const agents = planReload(['agents.list']).actions[0];
    expect(agents).toMatchObject({ kind: 'hot', rule: 'agents.list', owner: 'push' });
    expect(agents?.actions).toEqual(expect.arrayContaining(['heartbeat', 'system-jobs', 'hook-policy']));
    expect(diffPaths({ list: [{ a: 1, b: [2] }] }, { list: [{ b: [2], a: 1 }] })).toEqual([]);
  });

  it('D1: touching a document without a change plans nothing, and its hash does not know the order of keys', () => {
    const document = { agents: { list: [{ id: 'a' }] }, meta: { by: 'x' } };
    const touched = { meta: { by: 'x' }, agents: { list: [{ id: 'a' }] } };
    expect(planReload(diffPaths(document, touched)).actions).toEqual([]);
    expect(configHash(touched)).toBe(configHash(document));
  });

  it('lets the longest prefix decide, at dots only', () => {
    expect(ruleFor('plugins.load.paths')?.kind).toBe('restart');
    expect(ruleFor('plugins.loader')?.prefix).toBe('plugins');
    expect(ruleFor('plugin')).toBeUndefined();
    expect(ruleFor('agents.defaults.modelling')?.prefix).toBe('agents');
    expect(ruleFor('agents.defaults.heartbeat.everyMs')?.prefix).toBe('agents.defaults.heartbeat');
  });

  it('starts again only the channel account that changed', () => {
    expect(planReload(['channels.slack.accounts.main.settings.x', 'channels.slack.enabled', 'channels']).actions.map(({ actions }) => actions)).toEqual([
      ['channel:slack/main'],
      ['channel:slack'],
      ['channels'],
    ]);
  });

  it('asks one service only for what it owns, and for what nobody knows', () => {
    const paths = ['gateway.x', 'plugins.load', 'cron.jobs', 'strange', 'bindings', 'meta.at'];
    const push = planReload(paths, RELOAD_RULES, 'push');
    expect(push.restart).toEqual(['strange']);
    expect([...push.hot]).toEqual([['push', ['cron.jobs']]]);
    expect(planReload(paths, RELOAD_RULES, 'gateway').restart).toEqual(['gateway.x', 'plugins.load', 'strange']);
  });

  it('never restarts for bookkeeping', () => {
    expect(planReload(['meta.lastTouchedAt', 'meta', 'bindings', 'session.dmScope']).actions.every(({ kind }) => kind === 'none')).toBe(true);
  });

  it('names an owner for everything that has to be done', () => {
    for (const rule of RELOAD_RULES) {
      if (rule.kind === 'none') expect(rule).toMatchObject({ owners: [], actions: [] });
      else expect(rule.owners).toContain(rule.owner);
    }
    expect(new Set(RELOAD_RULES.map(({ prefix }) => prefix)).size).toBe(RELOAD_RULES.length);
  });

  it('knows a rule for every section of the document, so that no legal change restarts everything', () => {
    fc.assert(
      fc.property(validDocument, validDocument, (before, after) => {
        expect(planReload(diffPaths(before, after)).actions.filter(({ rule }) => rule === undefined)).toEqual([]);
      }),
    );
  });

  it('covers every changed path exactly once, in order, and loses none of them', () => {
    const path = fc
      .array(fc.constantFrom('agents', 'list', 'defaults', 'model', 'plugins', 'load', 'gateway', 'x'), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('.'));
    fc.assert(
      fc.property(fc.array(path), (paths) => {
        const plan = planReload(paths);
        expect(plan.actions.map((action) => action.path)).toEqual(paths);
        const hot = new Set([...plan.hot.values()].flat());
        for (const action of plan.actions) {
          expect(plan.restart.includes(action.path)).toBe(action.kind === 'restart');
          expect(hot.has(action.path)).toBe(action.kind === 'hot');
        }
      }),
    );
  });
});

describe('diffPaths', () => {
  it('reports lists as a whole, a change of kind where it happens, and the document as <root>', () => {
    expect(diffPaths({ a: { b: [1, 2], c: 1, d: { e: 1 } } }, { a: { b: [1, 3], c: { x: 1 }, d: {} } })).toEqual(['a.b', 'a.c', 'a.d.e']);
    expect(diffPaths({}, [])).toEqual([ROOT_PATH]);
    expect(diffPaths(null, { a: 1 })).toEqual([ROOT_PATH]);
    expect(diffPaths({ a: undefined }, {})).toEqual([]);
    expect(diffPaths({ a: [] }, { a: {} })).toEqual(['a']);
  });

  it('is empty exactly when two documents are equal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(diffPaths(a, structuredClone(a))).toEqual([]);
        expect(diffPaths(a, b).length === 0).toBe(configHash(a) === configHash(b));
      }),
    );
  });

  it('is empty after a difference was applied', () => {
    fc.assert(
      fc.property(validDocument, validDocument, (before, after) => {
        const applied = applyPatch(before, diffPatch(before, after), configHash(before));
        if (!applied.ok) throw new Error(applied.error.message);
        expect(diffPaths(applied.value.document, after)).toEqual([]);
        expect(applied.value.hash).toBe(configHash(after));
      }),
    );
  });
});

describe('reloadSettings', () => {
  it('is hybrid after 300 ms unless configured', () => {
    expect(reloadSettings(configOf({}))).toEqual({ mode: 'hybrid', debounceMs: 300 });
    expect(reloadSettings(configOf({ gateway: { reload: { mode: 'hot', debounceMs: 0 } } }))).toEqual({ mode: 'hot', debounceMs: 0 });
  });
});
