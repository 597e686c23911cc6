import { type Clock, fullJitter, PlexusError } from '@plexus/kernel';
import { noticeEvent, shortened } from '../../domain/triggers/notice.js';
import type { AgentRuns, Outgoing, RunChange, StoredRun, TriggerStore } from './trigger-ports.js';

const BATCH = 16;
/** How long a run belongs to whoever took it; longer than any call that is made meanwhile. */
const CLAIM_MS = 30_000;
const RETRY = { baseMs: 500, capMs: 15_000 };
/** The end of a run is asked for: soon at first, then more rarely. */
const SOONEST_MS = 300;
const LATEST_MS = 5_000;
const MAX_RESULT = 64_000;
const MAX_TITLE_RESULT = 300;

interface Ending {
  readonly state: 'done' | 'failed';
  readonly result?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * Carries research runs from step to step: start the agent, wait for its end, tell people. Each step is repeatable and its outcome one
 * transaction, so a crash anywhere costs a repetition, never a second run or a second notification.
 */
export class AdvanceRuns {
  constructor(
    private readonly store: TriggerStore,
    private readonly agents: AgentRuns,
    private readonly clock: Clock,
    private readonly report: (error: unknown, run: StoredRun) => void,
    private readonly onEnd: (state: 'done' | 'failed') => void,
  ) {}

  /** One batch; true when there may be more to look at now. */
  async step(): Promise<boolean> {
    const now = this.clock.now();
    const runs = await this.store.claimRuns(now, now + CLAIM_MS, BATCH);
    await Promise.all(runs.map((run) => this.#look(run).catch((error: unknown) => this.report(error, run))));
    return runs.length === BATCH;
  }

  async #look(run: StoredRun): Promise<void> {
    try {
      if (run.state === 'pending') await this.#start(run);
      else await this.#await(run);
    } catch (error) {
      const known = PlexusError.isPlexusError(error) ? error : undefined;
      if (known === undefined) this.report(error, run);
      const permanent = known !== undefined && !known.retryable;
      if (permanent || this.#isLate(run))
        await this.#end(run, { state: 'failed', error: { code: known?.code ?? 'INTERNAL', message: known?.message ?? 'It failed inside.' } });
      else await this.#again(run, Math.max(100, fullJitter(run.attempts + 1, RETRY)), run.attempts + 1);
    }
  }

  async #start(run: StoredRun): Promise<void> {
    if (this.#isLate(run)) return this.#end(run, timedOut(run));
    // The same at every repetition, or routing would take it for another request under the same id.
    const task = { ...run.task, sessionKey: run.task.sessionKey ?? `dispatch:${run.id}` };
    const started = await this.agents.start({ tenant: run.tenant, user: run.owner }, run.id, task);
    await this.#change(run, { state: 'researching', agentRunId: started.runId, sessionKey: started.sessionKey, dueAt: this.clock.now() + SOONEST_MS });
  }

  async #await(run: StoredRun): Promise<void> {
    const owner = { tenant: run.tenant, user: run.owner };
    const agentRunId = run.agentRunId ?? run.id;
    const sessionKey = run.sessionKey ?? '';
    const found = await this.agents.find(owner, agentRunId, sessionKey);
    if (found === undefined) return this.#end(run, { state: 'failed', error: { code: 'RUN_NOT_FOUND', message: 'The session of the run is gone.' } });
    if (!found.open) {
      if (found.ok) return this.#end(run, { state: 'done', result: shortened(found.text ?? '', MAX_RESULT) });
      return this.#end(run, { state: 'failed', error: found.error ?? { code: 'INTERNAL', message: 'The run ended without an answer.' } });
    }
    if (this.#isLate(run)) {
      await this.agents.cancel(owner, agentRunId, sessionKey);
      return this.#end(run, timedOut(run));
    }
    const waited = this.clock.now() - run.createdAt;
    await this.#again(run, Math.min(LATEST_MS, Math.max(SOONEST_MS, waited / 10)), 0);
  }

  async #again(run: StoredRun, afterMs: number, attempts: number): Promise<void> {
    await this.#change(run, { state: run.state, attempts, dueAt: Math.round(this.clock.now() + afterMs) });
  }

  async #end(run: StoredRun, ending: Ending): Promise<void> {
    const now = this.clock.now();
    const ended = await this.#change(run, { ...ending, endedAt: now }, tellings(run, ending, now));
    if (ended) this.onEnd(ending.state);
  }

  /** With the outcome goes what people are told: both or neither. */
  #change(run: StoredRun, change: RunChange, messages: readonly Outgoing[] = []): Promise<boolean> {
    return this.store.transaction(async (tx) => {
      const problem = tx.problemOf(messages);
      const done =
        problem === undefined
          ? change
          : { ...change, state: 'failed' as const, error: { code: 'INVALID_EVENT', message: `Its end cannot be told: ${problem}` } };
      if (!(await tx.advance(run, done))) return false;
      // What cannot be told must not be tried for ever: the run says so.
      if (problem === undefined) await tx.publish(messages);
      return true;
    });
  }

  #isLate(run: StoredRun): boolean {
    return this.clock.now() >= run.deadline;
  }
}

function timedOut(run: StoredRun): Ending {
  const seconds = Math.round((run.deadline - run.createdAt) / 1_000);
  return { state: 'failed', error: { code: 'RUN_TIMEOUT', message: `The run did not end within ${seconds} s.` } };
}

/** What is published about the end of a run. */
function tellings(run: StoredRun, ending: Ending, now: number): Outgoing[] {
  if (run.notice === undefined || (ending.state === 'failed' && !run.notice.onFailure)) return [];
  const text = ending.result ?? `${ending.error?.code}: ${ending.error?.message}`;
  const outcome = ending.state === 'done' ? shortened(firstLine(text), MAX_TITLE_RESULT) : `the research failed (${ending.error?.code})`;
  const { notice, followers } = run.notice;
  const summary = shortened(outcome === '' ? notice.summary : `${shortened(notice.summary, 1_600)}: ${outcome}`, 2_000);
  if (!followers) {
    return run.recipients.map((user) => {
      const event = noticeEvent(run.tenant, user, { ...notice, summary, text }, `dispatch:${run.id}:${user}`.slice(0, 512), now);
      return { kind: 'notice', tenant: run.tenant, user, event, agent: run.agentRunId ?? run.id };
    });
  }
  const { severity, caseId, entities, regions, topics } = notice;
  const about = { ...(caseId === undefined ? {} : { caseId }), ...(entities && { entities }), ...(regions && { regions }), ...(topics && { topics }) };
  const data = { ...about, summary, text: shortened(text, 12_000), ruleId: run.sourceId, runId: run.id, status: ending.state };
  return [{ kind: 'event', tenant: run.tenant, name: 'research-finished', id: `dispatch:${run.id}`, at: now, severity, agent: run.agentRunId ?? run.id, data }];
}

function firstLine(text: string): string {
  return text.trim().split(/\r?\n/, 1)[0]?.trim() ?? '';
}
