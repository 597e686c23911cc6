/** The stages of a push decision, in their fixed order. */
export const STAGES = [
  'match',
  'idempotency',
  'validity',
  'preference',
  'state',
  'silence',
  'inhibit',
  'collapse',
  'priority',
  'critical',
  'quiet',
  'aggregate',
  'throttle',
  'emit',
] as const;
export type Stage = (typeof STAGES)[number];

export interface TraceStep {
  readonly stage: string;
  readonly rule: string;
  readonly verdict: 'pass' | 'defer' | 'stop';
  readonly version?: number | undefined;
  readonly input?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface ExplainedDecision {
  readonly verdict: string;
  readonly reason: string;
  readonly trace: readonly TraceStep[];
}

/** `skipped`: the decision ended before, or (critical lane) went past it. */
export type StageStatus = 'passed' | 'deferred' | 'stopped' | 'sent' | 'skipped';

export interface TrackStage {
  readonly stage: Stage;
  readonly status: StageStatus;
  /** Rules that were looked at here; often none: nothing of the policy is about it. */
  readonly steps: readonly TraceStep[];
}

/** Where a reason ends when the trace does not say it. */
const STAGE_OF_REASON: Readonly<Record<string, Stage>> = {
  no_subscription: 'match',
  subscribed_later: 'match',
  source_budget: 'match',
  duplicate_event: 'idempotency',
  expired: 'validity',
  not_authorized: 'validity',
  opted_out: 'preference',
  muted: 'preference',
  resolved_before_send: 'state',
  resolve_without_firing: 'state',
  silenced: 'silence',
  inhibited: 'inhibit',
  collapsed: 'collapse',
  low_value: 'priority',
  critical_storm: 'critical',
  quiet: 'quiet',
  group: 'aggregate',
  throttled: 'throttle',
  sent: 'emit',
  escalated: 'emit',
};

/** What the critical lane goes past. */
const LANE = new Set<Stage>(['quiet', 'aggregate', 'throttle']);

/** The picture of one decision: every stage, and what became of the event there. */
export function trackOf(decision: ExplainedDecision): readonly TrackStage[] {
  const ending = endOf(decision);
  const endsAt = ending === undefined ? STAGES.length : STAGES.indexOf(ending.stage);
  const critical = decision.trace.some(({ stage, rule }) => stage === 'critical' && /lane|P0|skip/i.test(rule));
  return STAGES.map((stage, place) => {
    const steps = decision.trace.filter((step) => step.stage === stage);
    if (place === endsAt && ending !== undefined) return { stage, status: ending.status, steps };
    if (place > endsAt) return { stage, status: 'skipped', steps };
    return { stage, status: critical && LANE.has(stage) && steps.length === 0 ? 'skipped' : 'passed', steps };
  });
}

function endOf({ verdict, reason, trace }: ExplainedDecision): { stage: Stage; status: StageStatus } | undefined {
  if (verdict === 'sent') return { stage: 'emit', status: 'sent' };
  const status: StageStatus = verdict === 'deferred' ? 'deferred' : 'stopped';
  const wanted = verdict === 'deferred' ? 'defer' : 'stop';
  const last = trace.findLast((step) => step.verdict === wanted && isStage(step.stage));
  const stage = (last?.stage as Stage | undefined) ?? STAGE_OF_REASON[reason];
  return stage === undefined ? undefined : { stage, status };
}

const isStage = (name: string): name is Stage => (STAGES as readonly string[]).includes(name);

/** How an outcome looks. */
export function toneOfOutcome(outcome: string): 'ok' | 'warn' | 'bad' | 'info' {
  if (outcome === 'sent' || outcome === 'inbox') return 'ok';
  if (outcome === 'deferred' || outcome === 'pending' || outcome === 'subscribed_later') return 'warn';
  if (outcome === 'suppressed' || outcome === 'no_subscription') return 'info';
  return 'bad';
}
