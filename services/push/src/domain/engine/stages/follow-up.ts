import type { Candidate, Turn } from '../turn.js';
import type { Escalation, FollowUp, Labels } from '../user-state.js';
import { place, wanted } from './emit.js';
import { preference } from './preference.js';
import { quietFor } from './quiet.js';
import { forbiddenScope, validity } from './validity.js';

/**
 * Stage 14, when a level falls due: what nobody acknowledged comes again as an item of its own, with the channels of the escalation. What
 * expired, may not be seen any more, or is muted by now does not.
 */
export function escalate(turn: Turn, escalation: Escalation): void {
  const { level, sentAt } = escalation;
  const [root] = escalation.deliveryIds as readonly [string];
  const others = turn.state.escalations.filter((one) => one !== escalation);
  const candidates = escalation.items
    .map((item): Candidate => ({ ...item, wanted: item.hits, digest: false, trace: [] }))
    .filter((one) => stillWanted(turn, one));
  turn.state.escalations = others;
  if (candidates.length === 0) return;
  const { afterSeconds, channels } = turn.policy.body.escalation;
  const allowed = channels.filter((channel) =>
    wanted(
      turn,
      candidates.map(({ event }) => event),
      channel,
    ),
  );
  const send = place(turn, candidates, { kind: 'escalation', interrupt: true, escalates: { deliveryId: root, level } }, allowed);
  decideEscalation(turn, candidates[0] as Candidate, send.deliveryId, { root, level });
  const next = afterSeconds[level];
  if (next === undefined) return;
  const again: Escalation = {
    ...escalation,
    deliveryIds: [...escalation.deliveryIds, send.deliveryId],
    offsets: [...escalation.offsets, send.offset],
    due: Math.max(turn.now, sentAt + Math.round(next * 1_000)),
    level: level + 1,
  };
  turn.state.escalations = [...others, again];
}

/** An escalation is a candidate of its own: `esc:<delivery>:<level>`. */
function decideEscalation(turn: Turn, first: Candidate, deliveryId: string, { root, level }: { root: string; level: number }): void {
  const key = `esc:${root}:${level}`;
  const trace: Candidate['trace'] = [{ stage: 'follow_up', rule: `not acknowledged, level ${level}`, verdict: 'pass', version: turn.policyVersion }];
  turn.decide({ ...first, event: { ...first.event, key }, trace }, 'sent', 'escalated', { deliveryId });
}

/** Stage 14, when an item was not seen for long enough: over the next channel of its plan. Quiet hours hold it back like the item itself. */
export function nextChannel(turn: Turn, followUp: FollowUp): void {
  const quiet = quietFor(turn, followUp.priority);
  const left = quiet === undefined ? afterStep(turn, followUp) : { ...followUp, due: quiet };
  const others = turn.state.followUps.filter((one) => one !== followUp);
  turn.state.followUps = left === undefined ? others : [...others, left];
}

/** Takes the step that is due; what is left of the plan. */
function afterStep(turn: Turn, followUp: FollowUp): FollowUp | undefined {
  const { deliveryId, priority, steps, used, events, hits } = followUp;
  const [step, next] = steps as [FollowUp['steps'][number], FollowUp['steps'][number] | undefined];
  // The item goes as a whole: what the user may not see of it any more must not leave over a channel.
  if (events.some((event) => forbiddenScope(turn, event) !== undefined)) return undefined;
  const allowed = events.filter((event) => stillCounts(turn, event, hits));
  if (allowed.length === 0) return undefined;
  const goes = wanted(turn, allowed, step.channel);
  if (goes) {
    const level = used.filter((channel) => channel === step.channel).length;
    turn.channels.push({ deliveryId, channel: step.channel, level, priority, at: turn.now });
  }
  if (next === undefined) return undefined;
  return { ...followUp, steps: steps.slice(1), due: Math.max(turn.now, next.at), used: goes ? [...used, step.channel] : used };
}

function stillWanted(turn: Turn, candidate: Candidate): boolean {
  return validity(turn, candidate) === undefined && preference(turn, candidate) === undefined;
}

function stillCounts(turn: Turn, event: Labels, hits: FollowUp['hits']): boolean {
  if (event.expiresAt !== undefined && event.expiresAt <= turn.now) return false;
  return preference(turn, { event, hits, score: 1, priority: 'P2', reason: 'sent', seq: 0, wanted: hits, digest: false, trace: [] }) === undefined;
}
