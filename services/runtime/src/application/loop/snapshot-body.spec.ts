import { type Checkpoint, readCheckpoint } from './checkpoint.js';
import { snapshotOf } from './snapshot-body.js';

const run = { runId: 'r', turns: [{ message: 'x', shown: [], steps: 1, done: true }] };
const stepOf = (id: string, result: string): Checkpoint['conversation'] => [
  { role: 'assistant', text: '', toolCalls: [{ id, name: 't', arguments: '{}' }] },
  { role: 'tool', text: result, toolCallId: id, toolName: 't' },
];

describe('what the mesh keeps of a session', () => {
  it('is a checkpoint that another machine can go on from', () => {
    const checkpoint: Checkpoint = { conversation: [{ role: 'user', text: 'x' }, ...stepOf('a', 'done')], run };
    const body = JSON.parse(JSON.stringify(snapshotOf(checkpoint, undefined))) as { checkpoint: unknown };
    expect(readCheckpoint(body.checkpoint)).toEqual(checkpoint);
  });

  it('is bounded: the newest messages, and never a result without its call', () => {
    const long = Array.from({ length: 60 }, (_, index) => stepOf(String(index), 'y'.repeat(30_000))).flat();
    const { checkpoint } = snapshotOf({ conversation: long, run }, undefined) as { checkpoint: Checkpoint };
    expect(JSON.stringify(checkpoint).length).toBeLessThan(200_000);
    expect(checkpoint.conversation[0]?.role).toBe('assistant');
    expect(checkpoint.conversation.at(-1)?.toolCallId).toBe('59');
  });
});
