import type { Priority } from '@plexus/contracts';
import { deliveryId } from '../../inbox-item.js';
import { reaches } from '../../subscription.js';
import { awaitAcknowledgement, awaitSeen } from '../awaiting.js';
import { about } from '../compiled-policy.js';
import { collapseKey } from '../labels.js';
import type { LogHit, ReasonCode, Send } from '../types.js';
import { type Candidate, note, type Turn } from '../turn.js';
import { type Labels, LIMITS, type Notified } from '../user-state.js';
import { countCritical } from './critical.js';
import { allowsChannel } from './preference.js';
import { tell } from './state.js';
import { countInterrupt } from './throttle.js';

/** How candidates become one item. */
export interface Emission {
  readonly kind: Send['kind'];
  readonly interrupt: boolean;
  /** Of an item that does not interrupt: why not. */
  readonly reason?: ReasonCode;
  /** The leading group whose window begins with it. */
  readonly leadingKey?: string | undefined;
  readonly escalates?: Send['escalates'];
}

const MAX_HITS = 500;

/** Stage 13: the next place in the inbox, the channels of the plan, and what has to be remembered because something was said. */
export function emit(turn: Turn, candidates: readonly Candidate[], how: Emission): Send {
  const send = place(turn, candidates, how);
  const verdict = how.interrupt ? 'sent' : 'inbox';
  for (const candidate of candidates) {
    note(candidate, 'emit', how.interrupt ? send.kind : `inbox only: ${how.reason}`, 'pass', { input: { offset: send.offset } });
    turn.decide(candidate, verdict, how.interrupt ? 'sent' : (how.reason ?? 'low_value'), { deliveryId: send.deliveryId });
    tell(turn, candidate.event, send.deliveryId, candidate.event.key);
  }
  if (how.interrupt) remember(turn, send, candidates, how.leadingKey);
  return send;
}

/** Takes the next offset; what is sent from there on is in the outcome. */
export function place(turn: Turn, candidates: readonly Candidate[], { kind, interrupt, escalates }: Emission, fixed?: readonly string[]): Send {
  const { state, tenant, user, now } = turn;
  const offset = state.head + 1;
  state.head = offset;
  const priority = highest(candidates);
  const channels = interrupt
    ? (fixed ??
      planOf(turn, candidates, priority)
        .filter(({ at }) => at === now)
        .map(({ channel }) => channel))
    : [];
  const send: Send = {
    deliveryId: deliveryId(tenant, user, { epoch: state.epoch, offset }),
    epoch: state.epoch,
    offset,
    kind,
    priority,
    interrupt,
    events: candidates.map(({ event }) => event),
    hits: hitsOf(candidates),
    ...(escalates === undefined ? {} : { escalates }),
    channels,
    at: now,
  };
  turn.sends.push(send);
  return send;
}

function remember(turn: Turn, send: Send, candidates: readonly Candidate[], leadingKey: string | undefined): void {
  const { now, policy } = turn;
  if (send.priority === 'P0') {
    countCritical(turn);
    awaitAcknowledgement(turn, send, candidates);
  } else countInterrupt(turn, send.events);
  rememberNotified(turn, send, policy.collapseMs);
  if (leadingKey !== undefined) {
    turn.keep('groups', ({ key, last }) => key !== leadingKey && last > now - LONGEST_WINDOW);
    turn.append('groups', { key: leadingKey, last: now }, LIMITS.groups);
  }
  const later = planOf(turn, candidates, send.priority).filter(({ at }) => at > now);
  awaitSeen(turn, send, later, candidates);
}

const LONGEST_WINDOW = 86_400_000;

function rememberNotified(turn: Turn, { deliveryId: id, events, at }: Send, collapseMs: number): void {
  const fresh = new Map<string, Notified>();
  for (const event of events) {
    const key = collapseKey(event);
    if (key === undefined) continue;
    const other = fresh.get(key);
    if (other !== undefined && reaches(other.severity, event.severity)) continue;
    fresh.set(key, { key, at, severity: event.severity, deliveryId: id, eventKey: event.key, repeats: 0 });
  }
  if (fresh.size === 0) return;
  turn.keep('notified', (one) => !fresh.has(one.key) && at - one.at < collapseMs);
  for (const one of fresh.values()) turn.append('notified', one, LIMITS.notified);
}

/** The channels of the first plan that is about any of the events; one that the user does not want for any of them is left out. */
function planOf(turn: Turn, candidates: readonly Candidate[], priority: Priority): { channel: string; at: number }[] {
  const rule = turn.policy.channels.find(({ matches, priorities }) => priorities.includes(priority) && candidates.some(({ event }) => about(matches, event)));
  if (rule === undefined) return [];
  const events = candidates.map(({ event }) => event);
  return rule.plan
    .filter(({ channel }) => wanted(turn, events, channel))
    .map(({ channel, afterUnseenSeconds }) => ({ channel, at: turn.now + Math.round(afterUnseenSeconds * 1_000) }))
    .sort((a, b) => a.at - b.at);
}

/** True when the user lets at least one of the events come over the channel. */
export function wanted(turn: Turn, events: readonly Labels[], channel: string): boolean {
  return events.some((event) => allowsChannel(turn, event, channel));
}

function highest(candidates: readonly Candidate[]): Priority {
  return candidates.reduce<Priority>((best, { priority }) => (priority < best ? priority : best), 'P3');
}

function hitsOf(candidates: readonly Candidate[]): readonly LogHit[] {
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) return only.wanted;
  const byId = new Map<string, LogHit>();
  for (const { wanted: hits } of candidates) {
    for (const hit of hits) if (byId.size < MAX_HITS && !byId.has(hit.subscriptionId)) byId.set(hit.subscriptionId, hit);
  }
  return [...byId.values()];
}
