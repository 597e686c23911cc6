import { openLocalWorld } from './local-world.js';
import { describeProviderContract } from './provider-contract.js';

describeProviderContract('processes of this machine', { runs: true, workspace: true }, () => openLocalWorld());
