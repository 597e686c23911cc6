import { incidentKey, labelsOf } from '../labels.js';
import { type Candidate, type Ending, note, type StageRule, type Turn } from '../turn.js';
import { type Incident, type Item, type Labels, LIMITS, SEEN_FOR_MS } from '../user-state.js';
import { forgetEscalations } from '../awaiting.js';

/** Stage 4: what fires is remembered until it is resolved. A resolve takes back what still waits and edits what was sent; it is no message. */
export const state: StageRule = (turn, candidate) => {
  const { event } = candidate;
  if (event.state === undefined) return undefined;
  const key = incidentKey(event);
  if (event.state === 'resolved') return resolve(turn, candidate, key);
  const known = turn.state.incidents.find((incident) => incident.key === key);
  const incident: Incident = { key, event: labelsOf(event), at: turn.now, told: known?.told ?? [] };
  if (known !== undefined) turn.keep('incidents', (one) => one !== known);
  turn.append('incidents', incident, LIMITS.incidents);
  note(candidate, 'state', 'fires', 'pass', { input: { key } });
  return undefined;
};

/** True while an incident counts: a firing that nobody resolves is forgotten after seven days, or when it expires. */
export function isActive({ now }: Turn, { at, event }: Incident): boolean {
  return at > now - SEEN_FOR_MS && (event.expiresAt === undefined || event.expiresAt > now);
}

/** Remembers that a delivery tells of an incident, so that its resolve finds the item. */
export function tell(turn: Turn, event: Labels, deliveryId: string, eventKey: string): void {
  if (event.state !== 'firing') return;
  const key = incidentKey(event);
  const incident = turn.state.incidents.find((one) => one.key === key);
  if (incident === undefined || incident.told.some((one) => one.deliveryId === deliveryId && one.eventKey === eventKey)) return;
  const incidents = turn.own('incidents');
  incidents[incidents.indexOf(incident)] = { ...incident, told: [...incident.told.slice(-MAX_TOLD + 1), { deliveryId, eventKey }] };
}

const MAX_TOLD = 20;

/** The incident is over: it inhibits nothing from here on, and nothing of it is said any more. Returns what was known of it. */
export function endIncident(turn: Turn, event: Labels): { readonly incident: Incident | undefined; readonly cancelled: number } {
  const key = incidentKey(event);
  const known = turn.state.incidents.find((incident) => incident.key === key);
  if (known !== undefined) turn.keep('incidents', (one) => one !== known);
  return { incident: known, cancelled: cancelParked(turn, key) };
}

function resolve(turn: Turn, candidate: Candidate, key: string): Ending {
  const { incident, cancelled } = endIncident(turn, candidate.event);
  const told = incident?.told ?? [];
  for (const { deliveryId, eventKey } of told) turn.edits.push({ deliveryId, eventKey, resolvedAt: turn.now, at: turn.now });
  const last = told.at(-1);
  note(candidate, 'state', 'resolves', 'stop', { input: { key, sent: told.length, waiting: cancelled } });
  if (last !== undefined) {
    forgetEscalations(turn, key);
    return { end: 'edit', reason: 'resolved', deliveryId: last.deliveryId };
  }
  return { end: 'drop', reason: incident !== undefined || cancelled > 0 ? 'resolved_before_send' : 'resolve_without_firing' };
}

/** Takes what waits under the key out of every buffer, each with its own decision. */
function cancelParked(turn: Turn, key: string): number {
  let cancelled = 0;
  const over = (item: Item) => incidentKey(item.event) === key;
  for (const buffer of [...turn.state.buffers]) {
    const left = buffer.items.filter((item) => !over(item));
    if (left.length === buffer.items.length) continue;
    for (const item of buffer.items.filter(over)) {
      cancelled += 1;
      const candidate: Candidate = {
        ...item,
        wanted: item.hits,
        digest: false,
        trace: [{ stage: 'state', rule: 'resolved while it waited', verdict: 'stop' }],
      };
      turn.decide(candidate, 'dropped', 'resolved_before_send');
    }
    const buffers = turn.own('buffers');
    const place = buffers.findIndex((one) => one.key === buffer.key);
    if (left.length === 0) buffers.splice(place, 1);
    else buffers[place] = { ...buffer, items: left };
  }
  return cancelled;
}
