import { describeProviderContract } from './provider-contract/provider-contract.js';
import { openContractWorld } from './support/kubernetes/contract-world.js';

describeProviderContract('Pods of a stand-in, with a namespace per tenant', { runs: true, workspace: true }, () =>
  openContractWorld({ KUBERNETES_NAMESPACE_PER_TENANT: '1' }),
);
