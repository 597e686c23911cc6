import { headAndTail } from '../../domain/bounded-text.js';
import type { SnapshotBody } from '../ports.js';
import type { Checkpoint } from './checkpoint.js';

/** Characters of conversation that go along; what is larger takes another way than a frame. */
const MAX_CHARS = 160_000;
const MAX_TEXT = 20_000;

/** What the mesh keeps of a checkpoint: its newest messages. */
export function snapshotOf(checkpoint: Checkpoint, memory: unknown): SnapshotBody {
  const { conversation, run, context } = checkpoint;
  const kept = newestOf(conversation);
  return {
    checkpoint: {
      ...checkpoint,
      conversation: kept,
      run: { ...run, turns: run.turns.map((turn) => (turn.done ? { ...turn, shown: textsOf(turn.shown) } : turn)) },
    },
    short_term_memory: memory ?? {},
    conversation_state: { run_id: run.runId, messages: conversation.length, kept: kept.length, ...(context && { context }) },
  };
}

const textsOf = (shown: Checkpoint['run']['turns'][number]['shown']): Checkpoint['run']['turns'][number]['shown'] =>
  shown.filter(({ type }) => type === 'text');

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
