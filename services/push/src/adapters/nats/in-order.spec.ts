import { InOrder } from './in-order.js';

describe('work in order', () => {
  it('of one key is done one after the other, of other keys meanwhile, and of none at once', async () => {
    const inOrder = new InOrder();
    const done: string[] = [];
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const first = inOrder.run('a', () => held.then(() => void done.push('a1')));
    const second = inOrder.run('a', async () => void done.push('a2'));
    await inOrder.run('b', async () => void done.push('b1'));
    await inOrder.run(undefined, async () => void done.push('free'));
    expect(done).toEqual(['b1', 'free']);
    letGo();
    await Promise.all([first, second]);
    expect(done).toEqual(['b1', 'free', 'a1', 'a2']);
  });

  it('goes on behind work that failed, which fails for itself alone', async () => {
    const inOrder = new InOrder();
    const failing = inOrder.run('a', () => Promise.reject(new Error('no')));
    const next = inOrder.run('a', async () => 'done');
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBe('done');
  });
});
