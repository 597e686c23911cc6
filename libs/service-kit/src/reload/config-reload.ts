import { planReload, RELOAD_RULES, type ReloadOwner as RuleOwner, reloadSettings } from '@plexus/agent-config';
import type { configContracts } from '@plexus/contracts';
import type { Clock, Timer } from '@plexus/kernel';
import { counter } from '@plexus/telemetry';
import type { Logger } from 'pino';
import type { ConfigSnapshot } from '../tenants/tenant-directory.js';
import type { WatchedTenantDirectory } from '../tenants/watched-tenant-directory.js';
import { changedPaths } from './changed-paths.js';
import { type ApplyConfig, covers, ReloadOwner } from './reload-owner.js';

/** Bookkeeping of people and tools: writing it must not cause anything, or whoever writes it after a restart restarts for ever. */
const BOOKKEEPING = 'meta';
/** A stream of changes may postpone their application up to this many quiet times, not for ever. */
const MOST_DEBOUNCES = 3;

/** A report of many tenants must fit into one message. */
const REPORTED_ISSUES = 5;
const REPORTED_PATHS = 20;

const reloads = counter('configReloads');

export interface ConfigReloadOptions {
  readonly service: string;
  readonly tenants: WatchedTenantDirectory;
  readonly clock: Clock;
  readonly log: Logger;
  /** Owners that are left alone. */
  readonly skipModules: readonly string[];
  /** Something needs a restart of this process, or no longer does. */
  readonly onRestartWanted: (paths: readonly string[]) => void;
  /** The state has changed: report it. */
  readonly onProgress: () => void;
}

interface TenantReload {
  /** What this process started with, as far as only a restart can change it. */
  baseline: ConfigSnapshot;
  pendingRestart: readonly string[];
  timer?: Timer;
  firstChangeAt?: number;
  /** A pass waits for its turn. */
  due: boolean;
  /** Settles when everything that was asked for this tenant is done. */
  tail: Promise<void>;
}

/**
 * Brings changes of the configuration into force in this process. A change waits until nothing follows it for the quiet time; then the
 * difference to what is in force decides: what is read at use is simply there, each owner takes its hot part on its own, and what only a
 * restart can change stays pending until there was one. One thing at a time for each tenant, whoever asked for it; a change during a pass
 * makes another one. Tenants do not wait for each other.
 */
export class ConfigReload {
  private readonly states = new Map<string, TenantReload>();
  private readonly owners: ReloadOwner[] = [];
  /** Tails of tenants with something under way. */
  private readonly busy = new Set<Promise<void>>();
  private stopped = false;

  constructor(private readonly options: ConfigReloadOptions) {}

  /** Takes over from the directory: from now on new documents of tenants come into force through here. */
  start(): void {
    const { tenants } = this.options;
    for (const tenant of tenants.documented()) this.stateOf(tenant);
    tenants.setGate((tenant) => this.schedule(tenant));
  }

  /**
   * Registers a part that runs with sections of the configuration (`agents`, `channels.slack`). `apply` is called for each change below
   * them; with `initial` also now, for every tenant that has a document. One that throws keeps its old version, shows as degraded, and is tried again.
   */
  async onConfig(prefixes: readonly string[], label: string, apply: ApplyConfig, { initial = false } = {}): Promise<void> {
    const { clock, log, tenants, skipModules } = this.options;
    const skipped = skipModules.includes(label);
    if (skipped) log.warn({ owner: label }, 'a part is left out, as PLEXUS_SKIP_MODULES says');
    const bring = async (tenant: string, options?: { readonly force: boolean }): Promise<void> => {
      await owner.bring(tenant, tenants.inForceOf(tenant), options);
      this.options.onProgress();
    };
    const owner = new ReloadOwner(label, prefixes, apply, { clock, log, skipped, retryNow: (tenant) => void this.inTurn(tenant, () => bring(tenant)) });
    this.owners.push(owner);
    const join = async (tenant: string): Promise<void> => {
      owner.joining.delete(tenant);
      if (initial) await bring(tenant, { force: true });
      else owner.assume(tenant, tenants.inForceOf(tenant));
    };
    const documented = tenants.documented();
    for (const tenant of documented) owner.joining.add(tenant);
    await Promise.all(documented.map((tenant) => this.inTurn(tenant, () => join(tenant))));
    this.options.onProgress();
  }

  /** Reads everything again and hands it to every owner, changed or not. What is pending a restart asks for it. */
  async reloadAll(): Promise<void> {
    const { tenants, log } = this.options;
    log.info('full reload of this process');
    await tenants.reread();
    const anew = async (tenant: string): Promise<void> => {
      tenants.admit(tenant);
      const desired = tenants.inForceOf(tenant);
      await Promise.all(this.ownersOf(tenant).map((owner) => owner.bring(tenant, desired, { force: true })));
      this.judgeRestart(tenant, desired);
    };
    await Promise.all(tenants.documented().map((tenant) => this.inTurn(tenant, () => anew(tenant))));
    this.announce(true);
  }

  /** Settles when no pass is under way and none is due. */
  async idle(): Promise<void> {
    while (this.busy.size > 0) await Promise.all(this.busy);
  }

  /** How far this process is with one tenant; undefined when it never had a document. */
  progressOf(tenant: string): configContracts.ConfigProgress | undefined {
    const { tenants } = this.options;
    const desired = tenants.desiredOf(tenant).revision;
    const rejected = tenants.rejectedOf(tenant);
    if (desired === 0 && rejected === undefined && !this.states.has(tenant)) return undefined;
    const failed = this.owners.flatMap((owner) => owner.failure(tenant) ?? []);
    return {
      appliedRevision: Math.min(tenants.inForceOf(tenant).revision, ...failed.map(({ owner }) => this.ownerOf(owner)?.appliedRevision(tenant) ?? 0)),
      desiredRevision: desired,
      pendingRestart: [...(this.states.get(tenant)?.pendingRestart ?? [])].slice(0, REPORTED_PATHS),
      failed,
      ...(rejected !== undefined && { rejected: { revision: rejected.revision, issues: rejected.issues.slice(0, REPORTED_ISSUES) } }),
    };
  }

  /** Tenants worth reporting, the ones with something open first. */
  tenantsOf(limit: number): string[] {
    const open = (tenant: string) => {
      const progress = this.progressOf(tenant);
      return progress !== undefined && (progress.pendingRestart.length > 0 || progress.failed.length > 0 || progress.rejected !== undefined) ? 0 : 1;
    };
    return [...this.options.tenants.documented()]
      .sort((a, b) => open(a) - open(b) || this.options.tenants.desiredOf(b).revision - this.options.tenants.desiredOf(a).revision)
      .slice(0, limit);
  }

  /** Parts that do not run as configured, with a reason that may name any tenant: for whoever operates this process, not for tenants. */
  degraded(): { module: string; reason: string }[] {
    const failing = this.owners.flatMap((owner) => {
      const reason = owner.isSkipped ? undefined : owner.anyFailure();
      return reason === undefined ? [] : [{ module: owner.label, reason }];
    });
    return [...this.leftOut(), ...failing];
  }

  /** Parts that run for nobody. What failed for one tenant is in its {@link progressOf}. */
  leftOut(): { module: string; reason: string }[] {
    return this.owners.flatMap(({ label, isSkipped }) => (isSkipped ? [{ module: label, reason: 'left out, as PLEXUS_SKIP_MODULES says' }] : []));
  }

  modeOf(tenant: string): 'off' | 'hot' | 'hybrid' | 'restart' {
    return reloadSettings(this.options.tenants.desiredOf(tenant).config).mode;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const state of this.states.values()) state.timer?.cancel();
    for (const owner of this.owners) owner.stop();
    await this.idle();
  }

  private ownerOf(label: string): ReloadOwner | undefined {
    return this.owners.find((owner) => owner.label === label);
  }

  private ownersOf(tenant: string): ReloadOwner[] {
    return this.owners.filter(({ joining }) => !joining.has(tenant));
  }

  private stateOf(tenant: string): TenantReload {
    const known = this.states.get(tenant);
    if (known !== undefined) return known;
    const state: TenantReload = { baseline: this.options.tenants.inForceOf(tenant), pendingRestart: [], due: false, tail: Promise.resolve() };
    this.states.set(tenant, state);
    return state;
  }

  private schedule(tenant: string): void {
    if (this.stopped) return;
    const { clock, tenants } = this.options;
    const state = this.stateOf(tenant);
    const { debounceMs } = reloadSettings(tenants.desiredOf(tenant).config);
    state.firstChangeAt ??= clock.monotonic();
    const latest = state.firstChangeAt + debounceMs * MOST_DEBOUNCES - clock.monotonic();
    state.timer?.cancel();
    state.timer = clock.setTimeout(() => this.now(tenant), Math.max(0, Math.min(debounceMs, latest)));
  }

  private now(tenant: string): void {
    const state = this.stateOf(tenant);
    state.timer?.cancel();
    delete state.timer;
    delete state.firstChangeAt;
    if (this.stopped || state.due) return;
    state.due = true;
    void this.inTurn(tenant, async () => {
      state.due = false;
      await this.pass(tenant);
      this.announce(false);
    });
  }

  /** Does `work` when everything that was asked for this tenant before is done. Never rejects. */
  private inTurn(tenant: string, work: () => Promise<void>): Promise<void> {
    const state = this.stateOf(tenant);
    const turn: Promise<void> = state.tail
      .then(async () => {
        if (!this.stopped) await work();
      })
      .catch((error: unknown) => {
        reloads.add(1, { outcome: 'failed' });
        this.options.log.error({ err: error, tenant }, 'a reload failed');
      })
      .finally(() => this.busy.delete(turn));
    state.tail = turn;
    this.busy.add(turn);
    return turn;
  }

  private async pass(tenant: string): Promise<void> {
    const { tenants, log } = this.options;
    const desired = tenants.desiredOf(tenant);
    // A tenant that had no document until now had the defaults: only what differs from them is a change.
    const owners = this.ownersOf(tenant);
    for (const owner of owners) owner.assume(tenant, tenants.inForceOf(tenant));
    const changed = this.relevant(changedPaths(tenants.inForceOf(tenant).config, desired.config));
    const mode = this.modeOf(tenant);
    if (mode === 'off') {
      this.stateOf(tenant).pendingRestart = changed;
      if (changed.length > 0) log.warn({ tenant, changed, revision: desired.revision }, 'gateway.reload.mode is off: the change waits for a restart');
      reloads.add(1, { outcome: 'off' });
      return;
    }
    tenants.admit(tenant);
    const hot = mode !== 'restart';
    if (hot) await Promise.all(owners.map((owner) => owner.bring(tenant, desired)));
    this.judgeRestart(tenant, desired);
    reloads.add(1, { outcome: changed.length === 0 ? 'unchanged' : 'applied' });
    if (changed.length > 0)
      log.info({ tenant, revision: desired.revision, changed, pendingRestart: this.stateOf(tenant).pendingRestart }, 'configuration reloaded');
  }

  /** Compares with what this process started with, not with the last pass: what needs a restart stays pending until there was one, or it is taken back. */
  private judgeRestart(tenant: string, desired: ConfigSnapshot): void {
    const state = this.stateOf(tenant);
    const sinceStart = this.relevant(changedPaths(state.baseline.config, desired.config));
    // A path that no rule knows restarts whoever plans; what concerns other services alone restarts none but them.
    const service = this.options.service as RuleOwner;
    const plan = planReload(sinceStart, RELOAD_RULES, service);
    const hot = this.modeOf(tenant) === 'restart' ? (plan.hot.get(service) ?? []) : [];
    const wanted = [...plan.restart, ...hot];
    state.pendingRestart = [...new Set(wanted)].sort();
  }

  private relevant(paths: readonly string[]): string[] {
    return paths.filter((path) => !covers(BOOKKEEPING, path));
  }

  /** Restarts are wanted by tenants that allow them; `always` asks for what is pending in every mode. */
  private announce(always: boolean): void {
    const wanted = [...this.states].flatMap(([tenant, { pendingRestart }]) => {
      const mode = this.modeOf(tenant);
      return always || mode === 'hybrid' || mode === 'restart' ? pendingRestart : [];
    });
    this.options.onRestartWanted([...new Set(wanted)].sort());
    this.options.onProgress();
  }
}
