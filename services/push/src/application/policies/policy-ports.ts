import type { PushPolicy, pushPolicyContracts } from '@plexus/contracts';
import type { ReadPolicy } from '../../domain/policy/policy-text.js';

export type TestReport = pushPolicyContracts.PolicyTestReport;
export type PolicyState = pushPolicyContracts.PolicyState;

/** A policy of a tenant as it is kept. */
export interface StoredPolicy {
  readonly version: number;
  readonly name: string;
  readonly body: PushPolicy;
  readonly text: string;
  readonly digest: string;
  readonly state: PolicyState;
  readonly report?: TestReport;
  readonly notes?: string;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly testedAt?: string;
  readonly activatedAt?: string;
  readonly activatedBy?: string;
  readonly activatedSeq?: number;
  readonly retiredAt?: string;
}

export interface PolicyDraft {
  readonly read: ReadPolicy;
  readonly by: string;
  readonly notes?: string;
  /** Replaces the text of this draft; absent: a new version. */
  readonly version?: number;
}

export interface Activation {
  readonly version: number;
  /** What was tested and replayed; another text by now is refused. */
  readonly text: string;
  /** The version that is active, as the tests and the replay saw it; 0 = none. Another one by now is refused. */
  readonly replaces: number;
  readonly by: string;
  readonly report: TestReport;
  /** States from which it may become active. */
  readonly from: readonly PolicyState[];
}

export type Refusal = { readonly refused: 'unknown' | 'wrong-state' | 'changed' | 'active-changed' | 'too-many' };

/** Keeps policies. Writers of one tenant exclude each other. */
export interface PolicyStore {
  put(tenant: string, draft: PolicyDraft): Promise<StoredPolicy | Refusal>;
  get(tenant: string, version: number): Promise<StoredPolicy | undefined>;
  active(tenant: string): Promise<StoredPolicy | undefined>;
  /** The one that was active last and is not any more. */
  previouslyActive(tenant: string): Promise<StoredPolicy | undefined>;
  /** Newest first. */
  list(tenant: string, selection: { readonly limit: number; readonly before?: number }): Promise<StoredPolicy[]>;
  /** Keeps the report of exactly this text; a draft that passed becomes tested, one that failed a draft again. */
  saveReport(tenant: string, version: number, text: string, report: TestReport): Promise<StoredPolicy | undefined>;
  /** In one transaction: the old one retires, the new one is active, and the log is told (through the outbox). */
  activate(tenant: string, activation: Activation): Promise<StoredPolicy | Refusal>;
  /** The active one retires, and the built-in policy decides again; the log is told. Refused when another than `replaces` is active by now. */
  deactivate(tenant: string, replaces: number, builtIn: Pick<StoredPolicy, 'version' | 'body'>): Promise<Refusal | undefined>;
  retire(tenant: string, version: number): Promise<StoredPolicy | Refusal>;
  /** Notes where in the log the activation of the policy that is active stands. */
  noteSeq(tenant: string, version: number, seq: number): Promise<void>;
}

/** What the log says about activations. */
export interface ActivationLog {
  /** Highest position of the entries that activate `version`, once every partition has its own; undefined before. */
  positionOf(tenant: string, version: number): Promise<number | undefined>;
}

export function isRefusal(answer: StoredPolicy | Refusal): answer is Refusal {
  return 'refused' in answer;
}
