import { wantedChannels } from './channel-processes.js';

it.each([
  ['no channels', [{}, { channels: {} }], []],
  ['an account', [{ channels: { telegram: { accounts: { main: {} } } } }], ['channel-telegram']],
  [
    'accounts of several tenants',
    [{ channels: { slack: { accounts: { a: {} } } } }, { channels: { webhook: { accounts: { b: {} } } } }],
    ['channel-webhook', 'channel-slack'],
  ],
  ['a disabled account', [{ channels: { telegram: { accounts: { main: { enabled: false } } } } }], []],
  ['a disabled channel', [{ channels: { telegram: { enabled: false, accounts: { main: {} } } } }], []],
  ['a channel without accounts', [{ channels: { telegram: { accounts: {} } } }], []],
  ['a channel of a plugin', [{ channels: { irc: { accounts: { main: {} } } } }], []],
  ['something that is no configuration', [null, 7, [], { channels: 'x' }, { channels: { slack: { accounts: null } } }], []],
])('the configuration with %s needs these adapters', (_what, documents, wanted) => {
  expect([...wantedChannels(documents)].sort()).toEqual([...wanted].sort());
});
