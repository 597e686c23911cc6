import { type configContracts, plexusError } from '@plexus/contracts';
import { type ConfigDifference, differencesOf, type PrintValue } from '../domain/config-difference.js';
import type { ConfigRevisionInfo, ConfigRules, ConfigStore, StoredConfig } from './config-ports.js';

/** A document that somebody thinks of writing. */
export type Draft = { readonly text: string } | { readonly patch: Record<string, unknown> };

export interface CheckedConfig {
  readonly valid: boolean;
  readonly hash?: string;
  readonly issues: configContracts.ConfigProblem[];
  readonly warnings: configContracts.ConfigProblem[];
  readonly conflicts: { indexes: number[]; code: string; message: string }[];
  readonly changedPaths: string[];
}

const MAX_ISSUES = 100;
const MAX_PATHS = 500;

/** Everything about configurations that changes nothing. */
export class ReadConfig {
  readonly #store: ConfigStore;
  readonly #rules: ConfigRules;
  readonly #print: PrintValue;

  constructor(store: ConfigStore, rules: ConfigRules, print: PrintValue) {
    this.#store = store;
    this.#rules = rules;
    this.#print = print;
  }

  /** A revision, the newest by default; undefined when the tenant configured nothing. Rejects with NOT_FOUND for a revision that is not kept. */
  async get(tenant: string, revision?: number): Promise<StoredConfig | undefined> {
    if (revision === undefined) return this.#store.current(tenant);
    const found = await this.#store.at(tenant, revision);
    if (found === undefined) throw plexusError('NOT_FOUND', { message: `There is no revision ${revision} of this configuration (any more).` });
    return found;
  }

  /** Hash of the document of a tenant that configured nothing. */
  get emptyHash(): string {
    return this.#rules.hash({});
  }

  history(tenant: string, limit: number): Promise<ConfigRevisionInfo[]> {
    return this.#store.history(tenant, limit);
  }

  /** What a write of this draft would do. */
  async check(tenant: string, draft: Draft): Promise<CheckedConfig> {
    const current = (await this.#store.current(tenant))?.document ?? {};
    const nothing = { warnings: [], conflicts: [], changedPaths: [] };
    const parsed = 'text' in draft ? this.#rules.parse(draft.text) : { ok: true as const, value: this.#rules.patch(current, draft.patch) };
    if (!parsed.ok) return { valid: false, issues: parsed.error.slice(0, MAX_ISSUES), ...nothing };
    const { issues, warnings, conflicts } = this.#rules.validate(parsed.value);
    return {
      valid: issues.length === 0,
      hash: this.#rules.hash(parsed.value),
      issues: issues.slice(0, MAX_ISSUES),
      warnings: warnings.slice(0, MAX_ISSUES),
      conflicts: conflicts.slice(0, MAX_ISSUES),
      changedPaths: this.#rules.changedPaths(current, parsed.value).slice(0, MAX_PATHS),
    };
  }

  /** Compares two revisions, or one with a text. Absent: the newest. */
  async diff(
    tenant: string,
    { from, to, text }: { readonly from?: number | undefined; readonly to?: number | undefined; readonly text?: string | undefined },
  ): Promise<{ fromRevision: number; toRevision?: number; differences: ConfigDifference[] }> {
    const before = await this.get(tenant, from);
    const fromRevision = before?.revision ?? 0;
    if (text !== undefined) {
      const parsed = this.#rules.parse(text);
      if (!parsed.ok)
        throw plexusError('CONFIG_REJECTED', { message: 'The text is no configuration.', details: { issues: parsed.error.slice(0, MAX_ISSUES) } });
      return { fromRevision, differences: this.#differences(before, parsed.value) };
    }
    const after = await this.get(tenant, to);
    return { fromRevision, toRevision: after?.revision ?? 0, differences: this.#differences(before, after?.document ?? {}) };
  }

  #differences(before: StoredConfig | undefined, after: unknown): ConfigDifference[] {
    return differencesOf(before?.document ?? {}, after, this.#print).slice(0, MAX_PATHS);
  }
}
