import { type DataOf, errors, type pushTriggersContracts as triggers } from '@plexus/contracts';
import type { Clock } from '@plexus/kernel';
import type { ToolCaller } from './agent-tools.js';
import { edited } from './edited.js';
import { withKnownAgent } from './named-agent.js';
import type { AgentDirectory, DispatchStore, StoredRule, StoredRun } from './trigger-ports.js';

const MAX_RULES = 200;

/** Dispatch rules, and what became of research runs. */
export class ManageDispatch {
  constructor(
    private readonly store: DispatchStore,
    private readonly agents: AgentDirectory,
    private readonly clock: Clock,
    private readonly newId: () => string,
    /** The rules of a tenant changed. */
    private readonly onChange: (tenant: string) => void,
  ) {}

  /** Fails with INVALID_REQUEST for an agent that nobody configured, also while the rule rests. */
  async save(
    caller: ToolCaller,
    { id, owner = caller.user, ...draft }: DataOf<typeof triggers.saveDispatchRule>,
  ): Promise<{ rule: StoredRule; created: boolean }> {
    if (owner === undefined)
      throw errors.create('INVALID_REQUEST', { message: 'owner: the credential names no user, so the rule must', details: { issues: [{ path: '/owner' }] } });
    const research = await withKnownAgent(this.agents, { tenant: caller.tenant, user: owner }, draft.research, '/research');
    const rule = { ...draft, research, tenant: caller.tenant, id: id ?? `rul_${this.newId()}`, owner, refused: 0, createdAt: this.clock.now() };
    const saved = await this.store.saveRule(rule, MAX_RULES);
    if (saved === 'too_many') throw errors.create('QUOTA_EXCEEDED', { details: { maxRules: MAX_RULES } });
    this.onChange(caller.tenant);
    return saved;
  }

  /** Fails with NOT_FOUND, with CONFLICT when it changed since `baseVersion`, and as {@link save} does; one that rests may keep an agent that is gone. */
  async update(tenant: string, { id, baseVersion, ...given }: DataOf<typeof triggers.updateDispatchRule>): Promise<StoredRule> {
    const known = (await this.store.rules(tenant)).find((rule) => rule.id === id);
    if (known === undefined) throw errors.create('NOT_FOUND');
    const asks = given.research !== undefined || (given.enabled === true && !known.enabled);
    const owner = { tenant, user: given.owner ?? known.owner };
    const research = asks ? await withKnownAgent(this.agents, owner, given.research ?? known.research, '/research') : undefined;
    const patch = Object.fromEntries(Object.entries({ ...given, research }).filter(([, value]) => value !== undefined));
    const rule = await this.store.changeRule(tenant, id, (found) => edited(found, { ...found, ...patch }, baseVersion));
    if (rule === undefined) throw errors.create('NOT_FOUND');
    this.onChange(tenant);
    return rule;
  }

  rules(tenant: string): Promise<StoredRule[]> {
    return this.store.rules(tenant);
  }

  async remove(tenant: string, id: string): Promise<boolean> {
    const removed = await this.store.removeRule(tenant, id);
    this.onChange(tenant);
    return removed;
  }

  /** One of the caller's runs, or of anybody's for operators and services. Rejects with RUN_NOT_FOUND. */
  async run(caller: ToolCaller, id: string): Promise<StoredRun> {
    const run = await this.store.run(caller.tenant, id);
    if (run === undefined || (run.owner !== caller.user && !caller.forOthers)) throw errors.create('RUN_NOT_FOUND');
    return run;
  }

  async runs(caller: ToolCaller, { all, sourceId, limit }: DataOf<typeof triggers.dispatchRuns>): Promise<StoredRun[]> {
    if (all && !caller.forOthers) throw errors.create('FORBIDDEN', { message: 'Only operators see the runs of everybody.' });
    if (!all && caller.user === undefined) throw errors.create('FORBIDDEN', { message: 'The credential names no user.' });
    return this.store.runs(caller.tenant, { limit, ...(all ? {} : { owner: caller.user as string }), ...(sourceId === undefined ? {} : { sourceId }) });
  }
}
