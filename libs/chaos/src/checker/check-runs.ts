import type { History, Operation } from '../history.js';
import { type Violation, violation } from './violation.js';

const OVER = new Set(['ok', 'error', 'cancelled', 'timeout']);

/** Messages to agents: each acknowledged one is in its transcript once, is answered at most once, in the order in which it was sent, and its run is over. */
export function checkRuns({ operations, ends, final }: History): Violation[] {
  const says = operations.filter(({ kind }) => kind === 'say');
  return [...checkTranscripts(says, final), ...checkOrder(says, final), ...checkEnds(says, final), ...checkSeenEnds(ends), ...checkInjected(operations, final)];
}

function checkTranscripts(says: readonly Operation[], final: History['final']): Violation[] {
  const known = new Map(says.map((say) => [say.id, say]));
  const statuses = new Map(final.runs.map((run) => [run.runId, run.status]));
  const found: Violation[] = [];
  const asked = new Map<string, number>();
  const answered = new Map<string, number>();
  for (const { tenant, user, session, messages } of final.transcripts) {
    for (const { role, runId } of messages) {
      if (runId === undefined || (role !== 'user' && role !== 'assistant')) continue;
      const say = known.get(runId);
      if (say === undefined) found.push(violation('phantom', `run ${runId} in ${tenant}/${user}/${session} is nobody's`));
      else if (say.tenant !== tenant || say.user !== user || say.place !== session) {
        found.push(violation('isolation', `run ${runId} of ${say.tenant}/${say.user}/${say.place} is in ${tenant}/${user}/${session}`));
      }
      const counts = role === 'user' ? asked : answered;
      counts.set(runId, (counts.get(runId) ?? 0) + 1);
    }
  }
  for (const say of says) {
    const questions = asked.get(say.id) ?? 0;
    const answers = answered.get(say.id) ?? 0;
    if (say.outcome === 'ok' && questions === 0) found.push(violation('lost', `message ${say.id} was acknowledged and is in no transcript`));
    if (say.outcome === 'refused' && questions > 0) found.push(violation('phantom', `message ${say.id} was refused and is in a transcript`));
    if (questions > 1) found.push(violation('doubled', `message ${say.id} is ${questions} times in transcripts`));
    if (answers > 1) found.push(violation('doubled', `message ${say.id} is answered ${answers} times`));
    if (answers > 0 && questions === 0) found.push(violation('phantom', `an answer to ${say.id} without the question`));
    if (statuses.get(say.id) === 'ok' && answers === 0) found.push(violation('lost', `run ${say.id} ended well and its answer is in no transcript`));
  }
  return found;
}

/** A person sends the next message of a session only when the one before is acknowledged or given up; so transcripts must have them in this order. */
function checkOrder(says: readonly Operation[], final: History['final']): Violation[] {
  const started = new Map(says.map((say) => [say.id, say]));
  return final.transcripts.flatMap(({ tenant, user, session, messages }) => {
    const sent = messages.flatMap(({ role, runId }) => (role === 'user' && runId !== undefined ? (started.get(runId) ?? []) : []));
    return sent.flatMap((say, at) => {
      const before = sent[at - 1];
      // Only what was acknowledged before the next began has an order: a try that nobody answered may arrive late.
      if (before === undefined || before.startedAt <= say.startedAt || say.outcome !== 'ok' || say.endedAt > before.startedAt) return [];
      return violation('order', `${tenant}/${user}/${session}: ${before.id} stands before ${say.id}, which was acknowledged before it was sent`);
    });
  });
}

function checkEnds(says: readonly Operation[], final: History['final']): Violation[] {
  const rows = new Map<string, string[]>();
  for (const { runId, status } of final.runs) rows.set(runId, [...(rows.get(runId) ?? []), status]);
  const inStream = new Set(final.endedInStream);
  return says.flatMap((say) => {
    const statuses = rows.get(say.id) ?? [];
    if (statuses.length > 1) return violation('doubled', `run ${say.id} has ${statuses.length} rows`);
    const [status] = statuses;
    if (status === undefined) return say.outcome === 'ok' ? violation('lost', `run ${say.id} was acknowledged and has no row`) : [];
    if (!OVER.has(status)) return violation('ends', `run ${say.id} is still ${status}`);
    return status === 'ok' && !inStream.has(say.id) ? violation('agreement', `run ${say.id} ended well and its end is not in the stream`) : [];
  });
}

/** One connection is told one end of a run. Another one, after a reconnect, may be told it again. */
function checkSeenEnds(ends: History['ends']): Violation[] {
  const seen = new Map<string, string>();
  return ends.flatMap(({ connection, runId, state }) => {
    const key = `${connection}\n${runId}`;
    const before = seen.get(key);
    seen.set(key, state);
    return before === undefined ? [] : violation('ends', `connection ${connection} was told twice that run ${runId} is over (${before}, ${state})`);
  });
}

function checkInjected(operations: readonly Operation[], final: History['final']): Violation[] {
  const texts = final.transcripts.flatMap(({ messages }) => messages.map(({ text }) => text));
  return operations
    .filter(({ kind }) => kind === 'inject')
    .flatMap(({ id, outcome }) => {
      const count = texts.filter((text) => text.includes(`[${id}]`)).length;
      if (outcome === 'ok' && count === 0) return violation('lost', `injected message ${id} was acknowledged and is in no transcript`);
      if (outcome === 'refused' && count > 0) return violation('phantom', `injected message ${id} was refused and is there`);
      return count > 1 ? violation('doubled', `injected message ${id} is there ${count} times`) : [];
    });
}
