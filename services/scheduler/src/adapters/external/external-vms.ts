import type { Database } from '@plexus/database';
import { Admission, type VmTokens } from '../../application/admission.js';
import type { ExternalVms } from '../../application/attach-external.js';
import { ExternalAdmissionStore, PostgresExternalIncarnations } from './postgres-external-incarnations.js';

export interface ExternalVmsParts {
  readonly database: Database;
  readonly tokens: VmTokens;
  /** Key material for bootstrap secrets, the same as for VMs that are started here. */
  readonly rootSecret: string;
  readonly attachMs: number;
  /** How long the token is good: the longest life of an incarnation, because a runtime of the plain profile cannot have it renewed. */
  readonly tokenTtlMs: number;
  readonly ensure: ExternalVms['ensure'];
}

/** What `AttachExternal` needs, on the tables of the scheduler. */
export function externalVms({ database, tokens, rootSecret, attachMs, tokenTtlMs, ensure }: ExternalVmsParts): ExternalVms {
  const incarnations = new PostgresExternalIncarnations(database);
  const admission = new Admission(new ExternalAdmissionStore(database), tokens, { ticketTtlMs: attachMs, tokenTtlMs, rootSecret, modelApiKey: undefined });
  return { ensure, find: (vmId) => incarnations.find(vmId), issue: (key) => admission.issue(key) };
}
