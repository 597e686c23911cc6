import fc from 'fast-check';
import { addAgent, addModel, bind, type Binding, removeAgent, removeModel, setAt, unbind, unsetAt, updateAgent, valueAt } from './config-edits.js';
import { CommandFailure } from './exit-code.js';

const agents = { agents: { list: [{ id: 'main', default: true }, { id: 'ops' }] } };
const to = (agentId: string, id = '42'): Binding => ({ agentId, match: { channel: 'telegram', peer: { kind: 'dm', id } } });
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof CommandFailure) return error.code;
    throw error;
  }
  return 'none';
};

describe('changes of a configuration', () => {
  it('a binding that is there is skipped, one of another agent refused, with force replaced in its place', () => {
    const once = bind(agents, to('main'), false);
    expect(once).toMatchObject({ outcome: 'added', index: 0 });
    // The same match in other words.
    const same: Binding = { agentId: 'main', match: { channel: ' Telegram', peer: { kind: 'direct', id: '42' } } };
    expect(bind(once.document, same, false)).toMatchObject({ outcome: 'identical', document: once.document });
    expect(codeOf(() => bind(once.document, to('ops'), false))).toBe('CONFLICT');
    const two = bind(once.document, to('main', '43'), false);
    const replaced = bind(two.document, to('ops'), true);
    expect(replaced).toMatchObject({ outcome: 'replaced', previous: 'main', index: 0 });
    expect(replaced.document.bindings).toEqual([to('ops'), to('main', '43')]);
    expect(unbind(replaced.document, { binding: { match: to('ops').match } }).removed).toEqual([to('ops')]);
    expect(unbind(replaced.document, { index: 1 }).document.bindings).toEqual([to('ops')]);
    expect(codeOf(() => unbind(replaced.document, { binding: { agentId: 'main', match: to('ops').match } }))).toBe('NOT_FOUND');
  });

  it('there is one default agent, and an agent with bindings goes only with them', () => {
    expect(addAgent({}, { id: 'new', default: true }).agents).toEqual({ list: [{ id: 'main' }, { id: 'new', default: true }] });
    expect(updateAgent(agents, 'ops', { default: true, model: 'm' }).agents).toEqual({ list: [{ id: 'main' }, { id: 'ops', default: true, model: 'm' }] });
    expect(updateAgent(agents, 'main', { default: null }).agents).toEqual({ list: [{ id: 'main' }, { id: 'ops' }] });
    const bound = bind(agents, to('ops'), false).document;
    expect(codeOf(() => removeAgent(bound, 'ops', false))).toBe('CONFLICT');
    expect(removeAgent(bound, 'ops', true)).toEqual({ agents: { list: [{ id: 'main', default: true }] }, bindings: [] });
    expect(codeOf(() => updateAgent(agents, 'nobody', {}))).toBe('NOT_FOUND');
  });

  it('a model keeps what is known of its provider', () => {
    const order = { provider: 'p', model: 'a', baseUrl: 'https://p.test/v1', apiKey: { env: 'KEY' }, makeDefault: true };
    const first = addModel({}, order);
    expect(addModel(first, { provider: 'p', model: 'b', contextWindow: 9, makeDefault: false }).models).toEqual({
      providers: { p: { baseUrl: 'https://p.test/v1', apiKey: { env: 'KEY' }, models: [{ id: 'a' }, { id: 'b', contextWindow: 9 }] } },
      default: 'p/a',
    });
    expect(codeOf(() => addModel({}, { provider: 'q', model: 'x', makeDefault: false }))).toBe('USAGE');
    expect(removeModel(first, 'p', undefined).models).toEqual({ providers: {}, default: 'p/a' });
    expect(codeOf(() => removeModel(first, 'p', 'zzz'))).toBe('NOT_FOUND');
  });

  it('what was set at a path is found there, everything else stays, and unset takes it away again', () => {
    const name = fc.stringMatching(/^[a-z]{1,4}$/);
    fc.assert(
      fc.property(fc.dictionary(name, fc.dictionary(name, fc.integer())), name, name, fc.integer(), (document, a, b, value) => {
        const set = setAt(document, `${a}.${b}`, value);
        expect(valueAt(set, `${a}.${b}`)).toBe(value);
        const { [a]: _changed, ...others } = set;
        const { [a]: _before, ...before } = document;
        expect(others).toEqual(before);
        expect(valueAt(unsetAt(set, `${a}.${b}`), `${a}.${b}`)).toBeUndefined();
      }),
    );
    expect(setAt(agents, 'agents.list.1.name', 'Ops').agents).toEqual({
      list: [
        { id: 'main', default: true },
        { id: 'ops', name: 'Ops' },
      ],
    });
    expect(codeOf(() => setAt(agents, 'agents.list.7.name', 'x'))).toBe('USAGE');
    expect(codeOf(() => setAt({}, '__proto__.x', 1))).toBe('USAGE');
    expect(codeOf(() => unsetAt({}, 'a.b'))).toBe('NOT_FOUND');
  });
});
