import { existsSync } from 'node:fs';
import path from 'node:path';
import { probeLauncher } from '../../src/adapters/local/launcher.js';
import { openLocalWorld } from './local-world.js';
import { describeProviderContract } from './provider-contract.js';

describeProviderContract('processes with limits', { runs: true, workspace: true }, () =>
  openLocalWorld((state) =>
    probeLauncher({
      namespaces: 'off',
      nice: 1,
      maxOpenFiles: 512,
      maxFileMib: 64,
      maxDataMib: 1_024,
      searchPath: process.env.PATH ?? '',
      hidden: state,
      log: console,
    }),
  ),
);

const bubblewrap = (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, 'bwrap')));
if (bubblewrap) {
  describeProviderContract('processes in namespaces (bubblewrap)', { runs: true, workspace: true }, () =>
    openLocalWorld((state) => probeLauncher({ namespaces: 'require', searchPath: process.env.PATH ?? '', hidden: state, log: console })),
  );
} else {
  describe.skip('the provider contract, kept by processes in namespaces: bwrap is not on PATH', () => {
    it('was not run', () => undefined);
  });
}
