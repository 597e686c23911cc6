import type { AgentTurn } from '../ports.js';
import { LoopState } from './loop-state.js';

const turn = (message: string, asked?: string): AgentTurn => ({
  ...{ sessionId: 's', runId: 'r', resume: false, message, history: [] },
  ...(asked !== undefined && { asked }),
});
const call = { callId: 'c', toolName: 'send', input: {} };

/** A process that has called a tool for a message, and what it wrote down. */
function begun(message: string, asked?: string) {
  const state = new LoopState();
  expect(state.begin(turn(message, asked))).toBe(true);
  state.replace([{ role: 'user', text: message }]);
  state.answered('', [call]);
  state.returned('c', { content: 'sent' });
  state.stepOver();
  return state.checkpoint();
}

describe('a run that another process began', () => {
  it('goes on after its tools, also when a file of its message can no longer be read: nothing is done twice', () => {
    const found = begun('look\n\n[Attached file: a.txt]\nwhat is in it', 'look\nid');
    const state = new LoopState(found);
    expect(state.begin(turn('look\n\n[Attached, and it cannot be read: a.txt]', 'look\nid'))).toBe(false);
    expect(state.messages).toEqual(found.conversation);
    expect(state.turn.steps).toBe(1);
  });

  it('takes its message when the other process had not come to it, and a further message as a new one', () => {
    const early = new LoopState();
    early.begin(turn('a', 'a\nid'));
    const state = new LoopState(early.checkpoint());
    expect(state.begin(turn('a, told otherwise', 'a\nid'))).toBe(true);
    // A mesh that names no runs: another incarnation counts from 1 again.
    expect(new LoopState(begun('a')).begin(turn('b'))).toBe(true);
    expect(new LoopState(begun('a of id', 'a\nid')).begin(turn('a of other', 'a\nother'))).toBe(true);
    const steered = new LoopState(begun('a'));
    expect([steered.begin(turn('a')), steered.begin(turn('a further one'))]).toEqual([false, true]);
  });
});
