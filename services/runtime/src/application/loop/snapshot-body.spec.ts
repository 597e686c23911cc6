import { type Checkpoint, readCheckpoint } from './checkpoint.js';
import { LoopState } from './loop-state.js';
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

  it('is no larger for the text of files: another machine knows the message all the same, and goes on after its tools', () => {
    const message = `look\n\n[Attached file: a.txt]\n${'§'.repeat(200_000)}`;
    const turns = [{ message, asked: 'hash', shown: [], steps: 1, done: false }];
    const checkpoint: Checkpoint = { conversation: [{ role: 'user', text: message }, ...stepOf('a', 'done')], run: { ...run, turns } };
    const body = JSON.stringify(snapshotOf(checkpoint, undefined));
    expect(Buffer.byteLength(body)).toBeLessThan(100_000);
    const found = readCheckpoint((JSON.parse(body) as { checkpoint: unknown }).checkpoint);
    const again = { sessionId: 's', runId: 'r', resume: true, message: 'look\n\n[Attached, and it cannot be read: a.txt]', asked: 'hash', history: [] };
    expect(new LoopState(found).begin(again)).toBe(false);
    // Not one model call yet: the message is in the conversation, cut alike, and not put there a second time.
    const early = { conversation: checkpoint.conversation.slice(0, 1), run: { ...run, turns: turns.map((turn) => ({ ...turn, steps: 0 })) } };
    const cut = readCheckpoint(JSON.parse(JSON.stringify(snapshotOf(early, undefined).checkpoint)));
    expect(new LoopState(cut).begin(again)).toBe(false);
  });

  it('is bounded: the newest messages, and never a result without its call', () => {
    const long = Array.from({ length: 60 }, (_, index) => stepOf(String(index), 'y'.repeat(30_000))).flat();
    const { checkpoint } = snapshotOf({ conversation: long, run }, undefined) as { checkpoint: Checkpoint };
    expect(JSON.stringify(checkpoint).length).toBeLessThan(200_000);
    expect(checkpoint.conversation[0]?.role).toBe('assistant');
    expect(checkpoint.conversation.at(-1)?.toolCallId).toBe('59');
  });
});
