import { about, type GroupRule } from '../compiled-policy.js';
import { type BufferPlace, type Candidate, note, type StageRule, type Turn } from '../turn.js';

/** What subscribers with level digest get where no rule groups. */
const DIGEST: Pick<GroupRule, 'leading' | 'windowMs' | 'maxItems'> = { leading: false, windowMs: 3_600_000, maxItems: 100 };

interface Group extends Pick<GroupRule, 'leading' | 'windowMs' | 'maxItems'> {
  readonly key: string;
}

/**
 * Stage 11: what belongs together comes together. Leading: the first goes out, the next ones wait until a window after the last message.
 * Trailing: all wait a window after the first. Who is in an open group stays in it, whatever policy comes.
 */
export const aggregate: StageRule = (turn, candidate) => {
  const group = groupOf(turn, candidate);
  if (group === undefined) return undefined;
  const open = turn.state.buffers.find(({ key, closesAt = 0 }) => key === group.key && turn.now < closesAt);
  const until = open?.due ?? windowEnd(turn, group);
  const name = `${group.leading ? 'leading' : 'trailing'} ${group.windowMs / 1_000} s`;
  if (until === undefined) {
    note(candidate, 'aggregate', name, 'pass', { version: turn.policyVersion, input: { group: group.key } });
    return undefined;
  }
  note(candidate, 'aggregate', name, 'defer', { version: open?.policyVersion ?? turn.policyVersion, input: { group: group.key, until } });
  return { end: 'park', reason: 'group', until, buffer: place(group) };
};

/** Where a candidate waits that may not go now: with its group, else with everything that waits. */
export function placeOf(turn: Turn, candidate: Candidate): BufferPlace {
  const group = groupOf(turn, candidate);
  return group === undefined ? { key: 'wait', kind: 'wait' } : place(group);
}

/** The leading group whose window begins when the candidate goes out now. */
export function leadingKey(turn: Turn, candidate: Candidate): string | undefined {
  const group = groupOf(turn, candidate);
  return group?.leading === true ? group.key : undefined;
}

function place({ key, leading, maxItems }: Group): BufferPlace {
  return { key, kind: 'group', leading, maxItems };
}

function windowEnd(turn: Turn, group: Group): number | undefined {
  if (!group.leading) return turn.now + group.windowMs;
  const last = turn.state.groups.find(({ key }) => key === group.key)?.last;
  return last !== undefined && turn.now < last + group.windowMs ? last + group.windowMs : undefined;
}

function groupOf(turn: Turn, { event, digest }: Candidate): Group | undefined {
  for (const rule of turn.policy.groups) {
    if (!about(rule.matches, event)) continue;
    const value = labelOf(rule.by, event);
    if (value !== undefined) return { ...rule, key: `group:${rule.by}:${rule.id}:${value}` };
  }
  return digest ? { ...DIGEST, key: 'group:digest' } : undefined;
}

/** Undefined: the event has no such label, so that the rule groups it with nothing. */
function labelOf(by: GroupRule['by'], event: Candidate['event']): string | undefined {
  switch (by) {
    case 'type':
      return event.type;
    case 'case':
      return event.caseId;
    case 'source':
      return event.origin;
    case 'groupkey':
      return event.groupKey;
    case 'user':
      return '';
  }
}
