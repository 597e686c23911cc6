import type { pushPolicyContracts } from '@plexus/contracts';

export type ReplayResult = pushPolicyContracts.ReplayResult;
export type ReplayChange = pushPolicyContracts.ReplayChange;
export type ReplayCoverage = pushPolicyContracts.ReplayCoverage;
