import type { TenantConfig } from '@plexus/agent-config';
import { type Clock, fullJitter, timeout, type Timer } from '@plexus/kernel';
import type { Logger } from 'pino';
import type { ConfigSnapshot } from '../tenants/tenant-directory.js';
import { changedPaths } from './changed-paths.js';

/** What an owner is asked to bring into force. */
export interface ConfigUpdate {
  readonly tenant: string;
  /** What this owner runs with; absent: nothing yet. */
  readonly before: TenantConfig | undefined;
  readonly after: TenantConfig;
  readonly revision: number;
  /** Changed paths below the owner's prefixes. Empty when everything is applied anew. */
  readonly paths: readonly string[];
}

export type ApplyConfig = (update: ConfigUpdate) => Promise<void> | void;

/** A failure that is tried again. */
export interface OwnerFailure {
  readonly owner: string;
  readonly message: string;
  readonly attempts: number;
  readonly nextTryAt?: string;
}

interface TenantState {
  applied: ConfigSnapshot | undefined;
  /** `forced`: the attempt was one that applies everything anew, and so is the next. */
  failure?: { message: string; attempts: number; nextTryAt: number; forced: boolean };
  retry?: Timer;
}

const APPLY_TIMEOUT_MS = 60_000;
const RETRY = { baseMs: 1_000, capMs: 60_000 };

/**
 * One part of a service that runs with some sections of the configuration. It knows which version it has: a change that failed is tried
 * again against the newest version, whatever other owners did meanwhile.
 */
export class ReloadOwner {
  /** Tenants whose first call still waits for its turn: until then, passes leave this owner alone. */
  readonly joining = new Set<string>();
  private readonly tenants = new Map<string, TenantState>();
  private stopped = false;

  constructor(
    readonly label: string,
    private readonly prefixes: readonly string[],
    private readonly apply: ApplyConfig,
    private readonly options: { readonly clock: Clock; readonly log: Logger; readonly retryNow: (tenant: string) => void; readonly skipped: boolean },
  ) {}

  get isSkipped(): boolean {
    return this.options.skipped;
  }

  /** What this owner runs with until told otherwise. */
  assume(tenant: string, snapshot: ConfigSnapshot): void {
    if (!this.tenants.has(tenant)) this.tenants.set(tenant, { applied: snapshot });
  }

  /** True when this owner has a word in a change of `path`; a path above a prefix changes everything below. */
  owns(path: string): boolean {
    return path === '<root>' || this.prefixes.some((prefix) => covers(prefix, path) || covers(path, prefix));
  }

  /** Brings what concerns this owner into force. Never rejects: a failure is kept, told by {@link failures}, and tried again. */
  async bring(tenant: string, desired: ConfigSnapshot, { force = false } = {}): Promise<void> {
    if (this.options.skipped || this.stopped) return;
    const state = this.tenants.get(tenant) ?? { applied: undefined };
    this.tenants.set(tenant, state);
    const anew = force || state.failure?.forced === true;
    const before = state.applied?.config;
    const paths = before === undefined ? [] : changedPaths(before, desired.config).filter((path) => this.owns(path));
    if (before !== undefined && paths.length === 0 && !anew) {
      state.applied = desired;
      this.clear(state);
      return;
    }
    try {
      const update: ConfigUpdate = { tenant, before, after: desired.config, revision: desired.revision, paths: anew ? [] : paths };
      await timeout(
        Promise.resolve().then(() => this.apply(update)),
        APPLY_TIMEOUT_MS,
        { clock: this.options.clock, what: `reload of ${this.label}` },
      );
      state.applied = desired;
      this.clear(state);
    } catch (error) {
      this.fail(tenant, state, error, anew);
    }
  }

  appliedRevision(tenant: string): number | undefined {
    return this.tenants.get(tenant)?.applied?.revision;
  }

  failure(tenant: string): OwnerFailure | undefined {
    const failure = this.tenants.get(tenant)?.failure;
    if (failure === undefined) return undefined;
    return { owner: this.label, message: failure.message, attempts: failure.attempts, nextTryAt: new Date(failure.nextTryAt).toISOString() };
  }

  /** First sentence of any failure, for whoever operates this process: it names a tenant. */
  anyFailure(): string | undefined {
    for (const [tenant, { failure }] of this.tenants) if (failure !== undefined) return `${failure.message} (tenant ${tenant}, ${failure.attempts} attempts)`;
    return undefined;
  }

  stop(): void {
    this.stopped = true;
    for (const state of this.tenants.values()) state.retry?.cancel();
  }

  private fail(tenant: string, state: TenantState, error: unknown, forced: boolean): void {
    const attempts = (state.failure?.attempts ?? 0) + 1;
    const waitMs = Math.max(100, fullJitter(attempts, RETRY));
    const message = error instanceof Error ? error.message : String(error);
    state.failure = { message, attempts, nextTryAt: this.options.clock.now() + waitMs, forced };
    this.options.log.warn(
      { err: error, owner: this.label, tenant, attempts, waitMs },
      'a part could not take its new configuration; it keeps the old one and is tried again',
    );
    state.retry?.cancel();
    if (!this.stopped) state.retry = this.options.clock.setTimeout(() => this.options.retryNow(tenant), waitMs).unref();
  }

  private clear(state: TenantState): void {
    state.retry?.cancel();
    delete state.retry;
    delete state.failure;
  }
}

/** True when `path` is the prefix or lies below it. */
export function covers(prefix: string, path: string): boolean {
  return path === prefix || path.startsWith(`${prefix}.`);
}
