import { describeProviderContract } from './provider-contract/provider-contract.js';
import { openContractWorld } from './support/kubernetes/contract-world.js';

describeProviderContract('Pods of a stand-in for Kubernetes', { runs: true, workspace: true }, () => openContractWorld({}));
