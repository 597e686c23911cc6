import * as audit from './audit.contracts.js';
import * as config from './config.contracts.js';
import * as channel from './channel.contracts.js';
import type { Contract } from './define.js';
import * as gateway from './gateway.contracts.js';
import * as gatewayNodes from './gateway-nodes.contracts.js';
import * as mcp from './mcp.contracts.js';
import * as memory from './memory.contracts.js';
import * as memoryArchive from './memory-archive.contracts.js';
import * as memorySession from './memory-session.contracts.js';
import * as memorySimilarity from './memory-similarity.contracts.js';
import * as push from './push.contracts.js';
import * as pushDelivery from './push-delivery.contracts.js';
import * as pushLog from './push-log.contracts.js';
import * as pushManage from './push-manage.contracts.js';
import * as pushPolicy from './push-policy.contracts.js';
import * as pushTriggers from './push-triggers.contracts.js';
import * as routing from './routing.contracts.js';
import * as run from './run.contracts.js';
import * as session from './session.contracts.js';
import * as skill from './skill.contracts.js';
import * as vm from './vm.contracts.js';

function isContract(value: unknown): value is Contract {
  return typeof value === 'object' && value !== null && 'kind' in value && 'domain' in value && 'pattern' in value;
}

/** Every declared contract, in a stable order: domain, kind, name, version. */
export const CONTRACTS: readonly Contract[] = [
  routing,
  session,
  run,
  vm,
  push,
  pushDelivery,
  pushLog,
  pushManage,
  pushPolicy,
  pushTriggers,
  memorySimilarity,
  memory,
  memoryArchive,
  memorySession,
  config,
  audit,
  channel,
  skill,
  mcp,
  gateway,
  gatewayNodes,
]
  .flatMap((module) => Object.values(module))
  .filter(isContract)
  .sort((a, b) => contractName(a).localeCompare(contractName(b), 'en'));

/** `<domain>.<name>.v<N>` with the kind in front: `rpc routing.resolve.v1`. */
export function contractName(contract: Contract): string {
  return `${contract.kind} ${contract.domain}.${contract.name}.v${contract.version}`;
}

/** Finds a contract by `domain.name`, `domain.name.vN` or `kind domain.name.vN`; the newest version when none is given. */
export function findContract(name: string): Contract | undefined {
  const matches = CONTRACTS.filter((contract) => {
    const dotted = `${contract.domain}.${contract.name}`;
    return name === dotted || name === `${dotted}.v${contract.version}` || name === contractName(contract);
  });
  return matches.sort((a, b) => b.version - a.version)[0];
}
