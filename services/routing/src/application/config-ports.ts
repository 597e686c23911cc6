import type { configContracts } from '@plexus/contracts';
import type { Result } from '@plexus/kernel';

/** One revision of a tenant's document. */
export interface StoredConfig {
  readonly revision: number;
  readonly document: unknown;
  readonly hash: string;
  /** The text as it was written, or where it lies. */
  readonly text: string | configContracts.StoredText;
  readonly at: string;
  readonly by: string;
  /** What was written is lost, and `document` is empty: it can be replaced, and not be changed. */
  readonly isLost?: boolean;
}

/** What is said about a write. */
export interface WriteRecord {
  readonly kind: 'apply' | 'patch' | 'rollback';
  readonly by: string;
  readonly credentialId: string;
  readonly comment?: string | undefined;
  readonly changedPaths: readonly string[];
}

export interface ConfigRevisionInfo {
  readonly revision: number;
  readonly hash?: string;
  readonly at: string;
  readonly by: string;
  readonly credentialId?: string;
  readonly kind: 'apply' | 'patch' | 'rollback' | 'external' | 'deleted';
  readonly comment?: string;
  readonly changedPaths: readonly string[];
  readonly bytes: number;
}

/** The revisions of the tenants' documents. */
export interface ConfigStore {
  /** The newest revision, also when it is lost. */
  current(tenant: string): Promise<StoredConfig | undefined>;
  /** Undefined when this tenant has no such revision (any more). Rejects with NOT_FOUND when it is lost. */
  at(tenant: string, revision: number): Promise<StoredConfig | undefined>;
  /** Newest first. */
  history(tenant: string, limit: number): Promise<ConfigRevisionInfo[]>;
  /** Writes when the tenant's newest revision still is `base` (0: there is none). The new revision, or undefined when somebody else was faster. */
  write(
    tenant: string,
    content: { readonly document: unknown; readonly text: string; readonly hash: string; readonly record: WriteRecord },
    base: number,
  ): Promise<number | undefined>;
  /** Reads a text that was uploaded in parts by this tenant. */
  load(tenant: string, stored: configContracts.StoredText): Promise<string>;
}

/** What the configuration library says about documents. */
export interface ConfigRules {
  /** Reads JSON5. */
  parse(text: string): Result<unknown, configContracts.ConfigProblem[]>;
  validate(document: unknown): {
    readonly issues: configContracts.ConfigProblem[];
    readonly warnings: configContracts.ConfigProblem[];
    readonly conflicts: { indexes: number[]; code: string; message: string }[];
  };
  patch(document: unknown, patch: Record<string, unknown>): unknown;
  hash(document: unknown): string;
  changedPaths(before: unknown, after: unknown): string[];
}

/** States a change for whoever audits it. Never rejects. */
export type AnnounceConfig = (tenant: string, revision: number, hash: string, record: WriteRecord) => void;
