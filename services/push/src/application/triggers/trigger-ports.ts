import type { DataOf, InputOf, pushTriggersContracts as triggers } from '@plexus/contracts';
import type { LogEvent } from '../../domain/engine/types.js';
import type { DispatchMatch } from '../../domain/triggers/dispatch-match.js';
import type { Notice } from '../../domain/triggers/notice.js';
import type { CatchUp, Timing } from '../../domain/triggers/plan-firings.js';
import type { Owner } from '../ports.js';

export type ScheduleAction = triggers.ScheduleAction;
export type DispatchNotify = DataOf<typeof triggers.saveDispatchRule>['notify'];
export type Research = DataOf<typeof triggers.saveDispatchRule>['research'];

export interface StoredSchedule extends Timing {
  readonly tenant: string;
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly action: ScheduleAction;
  readonly catchUp: CatchUp;
  readonly enabled: boolean;
  readonly origin: 'user' | 'config';
  /** Milliseconds; absent when it is disabled or never due again. */
  readonly nextAt?: number;
  readonly createdAt: number;
  /** Counts what people changed; absent until it is stored. */
  readonly version?: number;
}

export interface ScheduleRun {
  readonly dueAt: number;
  readonly firedAt: number;
  readonly trigger: 'due' | 'caught_up' | 'manual';
  readonly state: 'fired' | 'skipped';
  readonly reason?: string;
  readonly runId?: string;
}

/** Something to be published once the transaction has committed. */
export type Outgoing =
  /** A notification of one user, for the decider. */
  | { readonly kind: 'notice'; readonly tenant: string; readonly user: string; readonly event: LogEvent; readonly agent?: string }
  /** An event of our own, for subscriptions and rules. */
  | {
      readonly kind: 'event';
      readonly tenant: string;
      readonly name: 'schedule-fired';
      readonly id: string;
      readonly at: number;
      readonly type?: string;
      readonly severity: Notice['severity'];
      readonly data: InputOf<typeof triggers.scheduleFired>;
    }
  | {
      readonly kind: 'event';
      readonly tenant: string;
      readonly name: 'research-finished';
      readonly id: string;
      readonly at: number;
      readonly severity: Notice['severity'];
      readonly agent: string;
      readonly data: InputOf<typeof triggers.researchFinished>;
    };

/** A message to an agent, and where it is answered. */
export interface AgentTask {
  readonly agentId?: string;
  readonly message: string;
  readonly sessionKey?: string;
  readonly timeoutMs: number;
}

/** What is told when research ends. */
export interface RunNotice {
  /** Of the notification; its summary is put before the answer. */
  readonly notice: Notice;
  readonly onFailure: boolean;
  /** States an event for everybody who follows what it is about, instead of telling `recipients`. */
  readonly followers: boolean;
}

export interface NewRun {
  readonly tenant: string;
  readonly id: string;
  readonly owner: string;
  readonly kind: 'rule' | 'tool' | 'schedule';
  readonly sourceId: string;
  /** The same (tenant, kind, source, key) is one run. */
  readonly dedupKey: string;
  /** Of what was asked for: the same key for something else is refused. */
  readonly requestHash: string;
  readonly task: AgentTask;
  readonly notice?: RunNotice;
  readonly recipients: readonly string[];
  readonly causedBy?: string;
  readonly depth: number;
  readonly createdAt: number;
  readonly deadline: number;
}

export interface StoredRun extends NewRun {
  readonly state: 'pending' | 'researching' | 'done' | 'failed';
  readonly agentRunId?: string;
  readonly sessionKey?: string;
  readonly result?: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly attempts: number;
  readonly revision: number;
  readonly endedAt?: number;
}

export interface StoredRule {
  readonly tenant: string;
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly match: DispatchMatch;
  readonly research: Research;
  readonly notify: DispatchNotify;
  readonly maxPerHour: number;
  readonly enabled: boolean;
  readonly refused: number;
  readonly createdAt: number;
  /** Counts what people changed; absent until it is stored. */
  readonly version?: number;
}

/** One transaction over everything that triggers keep. */
export interface TriggerTransaction {
  /** Schedules that are due, locked; those that another replica has in hand are left out. */
  claimDue(now: number, limit: number): Promise<StoredSchedule[]>;
  lockSchedule(tenant: string, id: string): Promise<StoredSchedule | undefined>;
  /** True when this due time was not fired before. */
  recordFiring(schedule: StoredSchedule, run: ScheduleRun): Promise<boolean>;
  moveSchedule(schedule: StoredSchedule, nextAt: number | undefined): Promise<void>;
  hasOpenRun(tenant: string, kind: NewRun['kind'], sourceId: string): Promise<boolean>;
  /** The run that is there now, and whether this call made it. */
  startRun(run: NewRun): Promise<{ readonly run: StoredRun; readonly created: boolean }>;
  hasRun(tenant: string, kind: NewRun['kind'], sourceId: string, dedupKey: string): Promise<boolean>;
  /** Whoever counts the same runs meanwhile waits for the end of this transaction, so that none of two goes beyond a limit. */
  countRuns(tenant: string, selection: { readonly kind: NewRun['kind']; readonly sourceId?: string; readonly owner?: string }, since: number): Promise<number>;
  /** How deep the run of an agent is; 0 for one that no trigger started. */
  depthOf(tenant: string, agentRunId: string): Promise<number>;
  refuse(tenant: string, ruleId: string): Promise<void>;
  /** False when somebody else changed the run since it was read: then nothing may be done. */
  advance(run: StoredRun, change: RunChange): Promise<boolean>;
  /** Why these cannot be published (a field of the wrong shape, too large); undefined when they can. */
  problemOf(messages: readonly Outgoing[]): string | undefined;
  publish(messages: readonly Outgoing[]): Promise<void>;
}

export interface RunChange {
  readonly state: StoredRun['state'];
  readonly agentRunId?: string;
  readonly sessionKey?: string;
  readonly result?: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly attempts?: number;
  /** When it is looked at next; absent: it has ended. */
  readonly dueAt?: number;
  readonly endedAt?: number;
}

export interface TriggerStore {
  /** Runs `work` in one transaction; after a deadlock again, so it must do nothing but use the transaction. What was published is sent then. */
  transaction<T>(work: (transaction: TriggerTransaction) => Promise<T>): Promise<T>;
  /** Runs that are due to be looked at, handed to this caller alone until `until`. */
  claimRuns(now: number, until: number, limit: number): Promise<StoredRun[]>;
  /** Forgets at most `limit` ended runs and firings of before; returns how many. */
  prune(before: Date, limit: number): Promise<number>;
}

export interface ScheduleStore {
  /** Undefined when the id belongs to somebody else or to the configuration. */
  save(schedule: StoredSchedule, most: number): Promise<{ readonly schedule: StoredSchedule; readonly created: boolean } | 'taken' | 'too_many'>;
  /** Replaces a schedule by what `edit` makes of it, while nobody else changes it; the same object changes nothing. Undefined when there is none; what `edit` throws is passed on. */
  change(tenant: string, id: string, edit: (found: StoredSchedule) => StoredSchedule): Promise<StoredSchedule | undefined>;
  find(tenant: string, id: string): Promise<StoredSchedule | undefined>;
  list(tenant: string, selection: { readonly owner?: string; readonly after?: string; readonly limit: number }): Promise<StoredSchedule[]>;
  remove(tenant: string, id: string): Promise<boolean>;
  runs(tenant: string, id: string, limit: number): Promise<ScheduleRun[]>;
  /** Makes the schedules of the configuration those of `revision`; one that did not change its timing keeps its next due time. */
  reconcile(tenant: string, revision: number, wanted: readonly StoredSchedule[]): Promise<{ readonly changed: number; readonly removed: number }>;
}

export interface DispatchStore {
  saveRule(rule: StoredRule, most: number): Promise<{ readonly rule: StoredRule; readonly created: boolean } | 'too_many'>;
  /** As {@link ScheduleStore.change}. */
  changeRule(tenant: string, id: string, edit: (found: StoredRule) => StoredRule): Promise<StoredRule | undefined>;
  rules(tenant: string): Promise<StoredRule[]>;
  removeRule(tenant: string, id: string): Promise<boolean>;
  run(tenant: string, id: string): Promise<StoredRun | undefined>;
  runs(tenant: string, selection: { readonly owner?: string; readonly sourceId?: string; readonly limit: number }): Promise<StoredRun[]>;
}

/** Which agents there are: routing says so. */
export interface AgentDirectory {
  /** The id as routing writes it, whatever its case and spaces; undefined: no such agent is configured. Rejects while routing cannot be asked. */
  idOf(owner: Owner, agentId: string): Promise<string | undefined>;
}

/** Runs of agents, in the owner's name. Rejects with a PlexusError. */
export interface AgentRuns {
  /** Repeating it with the same id is harmless. */
  start(owner: Owner, runId: string, task: AgentTask & { readonly sessionKey: string }): Promise<{ readonly runId: string; readonly sessionKey: string }>;
  /** Undefined: routing does not know it. */
  find(owner: Owner, runId: string, sessionKey: string): Promise<AgentRun | undefined>;
  /** Best effort. */
  cancel(owner: Owner, runId: string, sessionKey: string): Promise<void>;
}

export interface AgentRun {
  readonly open: boolean;
  readonly ok: boolean;
  readonly text?: string;
  readonly error?: { readonly code: string; readonly message: string };
}
