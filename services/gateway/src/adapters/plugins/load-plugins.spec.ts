import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfigurationError } from '@plexus/kernel';
import type { PluginRequest } from '../../application/plugins/plugin-api.js';
import { PluginChain } from '../../application/plugins/plugin-chain.js';
import { loadPlugins } from './load-plugins.js';

const nothing = () => undefined;
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const log = { ...quiet, child: () => quiet };
const nodes = { sendToSession: nothing, sendToAllSubscribed: nothing, sendToAllConnected: nothing };

describe('plugins that the operator names', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plexus-plugins-'));
  const file = (name: string, text: string) => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are loaded in order, as an object or as a function, and closed in the other order', async () => {
    const object = file(
      'a.mjs',
      "globalThis.closedPlugins = []; export default { name: 'A', register: ({ handle }) => handle(() => ({ body: 'a' })), close: () => globalThis.closedPlugins.push('A') };",
    );
    const failing = file('b.mjs', "export default { register() {}, close() { globalThis.closedPlugins.push('b'); throw new Error('no'); } };");
    const plain = file('c.mjs', "export default async ({ route }) => route('GET', '/c', () => ({ body: 'c' }));");
    const chain = new PluginChain(log);
    const plugins = await loadPlugins([object, failing, plain], chain, nodes, log);
    expect(plugins.names).toEqual(['A', failing, plain]);
    const ask = { method: 'GET', headers: {}, query: new URLSearchParams(), body: new Uint8Array(), address: '', signal: new AbortController().signal };
    const asked = (at: string) => chain.run({ ...ask, path: at } as PluginRequest);
    expect([await asked('/c'), await asked('/x')]).toMatchObject([{ answer: { body: 'c' } }, { answer: { body: 'a' } }]);
    await plugins.close();
    expect((globalThis as { closedPlugins?: string[] }).closedPlugins).toEqual(['b', 'A']);
  });

  it.each<[string, string]>([
    ['./nowhere.mjs', 'cannot be loaded'],
    ['https://example.org/plugin.mjs', 'neither a package nor the path of a file'],
    ['data:text/javascript,export default () => {}', 'neither a package nor the path of a file'],
    ['node:fs', 'neither a package nor the path of a file'],
    ['a-package-that-is-not-installed', 'cannot be loaded'],
    ['@plexus/kernel', 'no plugin'],
  ])('%s is refused by its name', async (specifier, problem) => {
    const loading = loadPlugins([specifier], new PluginChain(log), nodes, log);
    await expect(loading).rejects.toThrow(ConfigurationError);
    await expect(loading).rejects.toThrow(specifier);
    await expect(loading).rejects.toThrow(problem);
  });

  it('that want what belongs to somebody else do not get the gateway started', async () => {
    const greedy = file('d.mjs', "export default { name: 'greedy', register: ({ route }) => route('POST', '/v1/chat/send', () => ({})) };");
    await expect(loadPlugins([greedy], new PluginChain(log), nodes, log)).rejects.toThrow('POST /v1/chat/send belongs to the gateway');
  });
});
