import type { Clock } from '@plexus/kernel';
import type { LogEvent } from '../../domain/engine/types.js';
import { matchesRule, renderPrompt } from '../../domain/triggers/dispatch-match.js';
import { requestHash } from '../../domain/triggers/request-hash.js';
import type { EventTap } from '../deciding-ports.js';
import type { DispatchStore, NewRun, StoredRule, TriggerStore } from './trigger-ports.js';

/** Runs of agents that led to one another; beyond, it is a loop. */
export const MAX_DEPTH = 3;
const HOUR_MS = 60 * 60_000;
/** Rules of a tenant are read again after so long; changes made on this replica count at once. */
const RULES_KNOWN_MS = 1_000;
/** Tenants whose rules are remembered. */
const MAX_TENANTS = 1_000;

type SeenEvent = Parameters<EventTap['onEvent']>[0];

/** Starts research where a dispatch rule matches: once per rule and event, within the rule's budget, and not in circles. */
export class DispatchOnEvent implements EventTap {
  readonly #rules = new Map<string, { readonly until: number; readonly rules: readonly StoredRule[] }>();

  constructor(
    private readonly store: TriggerStore,
    private readonly dispatching: Pick<DispatchStore, 'rules'>,
    private readonly clock: Clock,
    private readonly newId: () => string,
    private readonly onResult: (result: 'made' | 'refused') => void,
  ) {}

  async onEvent(seen: SeenEvent): Promise<void> {
    for (const rule of await this.#rulesOf(seen.tenant)) {
      if (rule.enabled && matchesRule(rule.match, seen.event)) await this.#dispatch(rule, seen);
    }
  }

  /** The rules of a tenant changed here. */
  forget(tenant: string): void {
    this.#rules.delete(tenant);
  }

  async #dispatch(rule: StoredRule, { tenant, event, agent }: SeenEvent): Promise<void> {
    const result = await this.store.transaction(async (tx) => {
      const now = this.clock.now();
      const depth = agent === undefined ? 1 : (await tx.depthOf(tenant, agent)) + 1;
      const used = await tx.countRuns(tenant, { kind: 'rule', sourceId: rule.id }, now - HOUR_MS);
      // The event came again; its run is one of those that were counted.
      if (await tx.hasRun(tenant, 'rule', rule.id, event.key)) return undefined;
      if (depth > MAX_DEPTH || used >= rule.maxPerHour) {
        await tx.refuse(tenant, rule.id);
        return 'refused';
      }
      const { created } = await tx.startRun(runOf(rule, event, { id: `dsp_${this.newId()}`, depth, now, ...(agent === undefined ? {} : { agent }) }));
      return created ? 'made' : undefined;
    });
    if (result !== undefined) this.onResult(result);
  }

  async #rulesOf(tenant: string): Promise<readonly StoredRule[]> {
    const known = this.#rules.get(tenant);
    if (known !== undefined && known.until > this.clock.now()) return known.rules;
    const rules = await this.dispatching.rules(tenant);
    if (this.#rules.size >= MAX_TENANTS) this.#rules.delete(this.#rules.keys().next().value as string);
    this.#rules.set(tenant, { until: this.clock.now() + RULES_KNOWN_MS, rules });
    return rules;
  }
}

function runOf(rule: StoredRule, event: LogEvent, { id, depth, now, agent }: { id: string; depth: number; now: number; agent?: string }): NewRun {
  const { research, notify } = rule;
  const task = { ...research, message: renderPrompt(research.message, event) };
  return {
    tenant: rule.tenant,
    id,
    owner: rule.owner,
    kind: 'rule',
    sourceId: rule.id,
    dedupKey: event.key,
    requestHash: requestHash(task),
    task,
    notice: {
      notice: {
        summary: event.summary ?? rule.name,
        severity: notify.severity ?? event.severity,
        ...(event.caseId === undefined || event.caseId === '' ? {} : { caseId: event.caseId }),
        entities: named(event.entities),
        regions: named(event.regions),
        topics: named(event.topics),
      },
      onFailure: notify.onFailure,
      followers: notify.to === 'followers',
    },
    recipients: notify.to === 'owner' ? [rule.owner] : notify.to === 'followers' ? [] : notify.to,
    ...(agent === undefined ? {} : { causedBy: agent }),
    depth,
    createdAt: now,
    deadline: now + research.timeoutMs,
  };
}

/** Foreign events may hold empty names, events of ours may not. */
function named(references: readonly string[]): string[] {
  return references.filter((reference) => reference !== '');
}
