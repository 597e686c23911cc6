import { ChatLanes } from './chat-lanes.js';
import { Latch } from './latch.js';

describe('the lanes of an account', () => {
  it('keep the order within a chat, run chats side by side up to the limit, and refuse what is too much', async () => {
    const lanes = new ChatLanes(2, 2);
    const log: string[] = [];
    const gates = new Map<string, Latch<void>>();
    const work = (name: string) => async () => {
      log.push(name);
      const gate = new Latch<void>();
      gates.set(name, gate);
      await gate.promise;
    };
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    const all = [lanes.run('a', work('a1')), lanes.run('a', work('a2')), lanes.run('b', work('b1')), lanes.run('c', work('c1'))];
    expect(lanes.run('d', work('d1'))).toBeUndefined();
    await settle();
    expect(log).toEqual(['a1', 'b1']);
    gates.get('a1')?.open();
    await settle();
    expect(log.length).toBe(3);
    for (let turn = 0; turn < 4; turn += 1) {
      for (const gate of gates.values()) gate.open();
      await settle();
    }
    await Promise.all(all);
    expect(log.filter((name) => name.startsWith('a'))).toEqual(['a1', 'a2']);
    expect(lanes.size).toBe(0);
  });

  it('go on after work that failed', async () => {
    const lanes = new ChatLanes(1, 5);
    const failing = lanes.run('a', () => Promise.reject(new Error('no')));
    const next = lanes.run('a', async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBe('yes');
  });
});
