import type { Candidate, Turn } from '../turn.js';
import type { Escalation, FollowUp, Labels } from '../user-state.js';
import { place, wanted } from './emit.js';
import { preference } from './preference.js';
import { quietFor } from './quiet.js';
import { silence } from './silence.js';
import { forbiddenScope, validity } from './validity.js';

/**
 * Stage 14, when a level falls due: what nobody acknowledged comes again as an item of its own, with the channels of the escalation. What
 * expired, may not be seen any more, or is muted by now does not; a level at which it is silenced is passed over.
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
  const heard = candidates.filter((one) => silence(turn, one) === undefined);
  const send = heard.length === 0 ? undefined : place(turn, heard, { kind: 'escalation', interrupt: true, escalates: { deliveryId: root, level } }, allowed());
  decideEscalation(turn, (heard[0] ?? candidates[0]) as Candidate, send?.deliveryId, { root, level });
  const next = afterSeconds[level];
  if (next === undefined) return;
  const again: Escalation = {
    ...escalation,
    deliveryIds: send === undefined ? escalation.deliveryIds : [...escalation.deliveryIds, send.deliveryId],
    offsets: send === undefined ? escalation.offsets : [...escalation.offsets, send.offset],
    due: Math.max(turn.now, sentAt + Math.round(next * 1_000)),
    level: level + 1,
  };
  turn.state.escalations = [...others, again];

  function allowed(): string[] {
    const events = heard.map(({ event }) => event);
    return channels.filter((channel) => wanted(turn, events, channel));
  }
}

/** An escalation is a candidate of its own: `esc:<delivery>:<level>`. */
function decideEscalation(turn: Turn, first: Candidate, deliveryId: string | undefined, { root, level }: { root: string; level: number }): void {
  const key = `esc:${root}:${level}`;
  const step: Candidate['trace'][number] = { stage: 'follow_up', rule: `not acknowledged, level ${level}`, verdict: 'pass', version: turn.policyVersion };
  const escalated = { ...first, event: { ...first.event, key } };
  if (deliveryId !== undefined) turn.decide({ ...escalated, trace: [step] }, 'sent', 'escalated', { deliveryId });
  else turn.decide({ ...escalated, trace: [step, ...first.trace.filter(({ stage }) => stage === 'silence')] }, 'suppressed', 'silenced');
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
  const heard = allowed.filter((event) => silence(turn, lately(event, hits)) === undefined);
  const goes = wanted(turn, heard, step.channel);
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
  return preference(turn, lately(event, hits)) === undefined;
}

/** An event that was sent, as stages look at candidates. */
function lately(event: Labels, hits: FollowUp['hits']): Candidate {
  return { event, hits, score: 1, priority: 'P2', reason: 'sent', seq: 0, wanted: hits, digest: false, trace: [] };
}
