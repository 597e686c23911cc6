import { headAndTail } from '../../domain/bounded-text.js';
import type { SnapshotBody } from '../ports.js';
import type { Checkpoint, Shown, TurnRecord } from './checkpoint.js';

/** Characters of conversation that go along; what is larger takes another way than a frame. */
const MAX_CHARS = 160_000;
const MAX_TEXT = 20_000;
const MAX_CALLS = 20;
const MAX_CALL_TEXT = 2_000;

/** What the mesh keeps of a checkpoint: its newest messages. */
export function snapshotOf(checkpoint: Checkpoint, memory: unknown): SnapshotBody {
  const { conversation, run, context } = checkpoint;
  const kept = newestOf(conversation);
  const turns = run.turns.map((turn) => ({ ...messageOf(turn), shown: turn.done ? textsOf(turn.shown) : newestCalls(turn.shown) }));
  return {
    checkpoint: {
      ...checkpoint,
      conversation: kept,
      run: { ...run, turns },
    },
    short_term_memory: memory ?? {},
    conversation_state: { run_id: run.runId, messages: conversation.length, kept: kept.length, ...(context && { context }) },
  };
}

/** A message with files is known by its hash: their text need not go along, and would make the snapshot larger than the mesh hands out. */
function messageOf(turn: TurnRecord): TurnRecord {
  return turn.asked === undefined ? turn : { ...turn, message: headAndTail(turn.message, MAX_TEXT) };
}

type ShownList = readonly Shown[];

const textsOf = (shown: ShownList): ShownList => shown.filter(({ type }) => type === 'text');

/** Of a turn that goes on: all its words, and its newest calls. */
function newestCalls(shown: ShownList): ShownList {
  const calls = shown.filter(({ type }) => type === 'tool').slice(-MAX_CALLS);
  return shown.flatMap((one): Shown[] => {
    if (one.type === 'text') return [one];
    if (!calls.includes(one)) return [];
    const { result, input } = one;
    const isLarge = JSON.stringify(input ?? null).length > MAX_CALL_TEXT;
    return [{ ...one, input: isLarge ? {} : input, ...(result !== undefined && { result: headAndTail(result, MAX_CALL_TEXT) }) }];
  });
}

function newestOf(conversation: Checkpoint['conversation']): Checkpoint['conversation'] {
  const kept: Checkpoint['conversation'][number][] = [];
  let chars = 0;
  for (const message of conversation.toReversed()) {
    const text = headAndTail(message.text, MAX_TEXT);
    chars += text.length + (message.toolCalls ?? []).reduce((sum, { arguments: input = '' }) => sum + input.length, 0);
    if (chars > MAX_CHARS) break;
    kept.push({ ...message, text });
  }
  // A conversation does not begin with a result whose call is gone.
  const whole = kept.reverse();
  const start = whole.findIndex(({ role }) => role !== 'tool');
  return start <= 0 ? whole : whole.slice(start);
}
