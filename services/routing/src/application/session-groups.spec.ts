import { plexusError } from '@plexus/contracts';
import { SessionGroups } from './session-groups.js';

/** Groups whose transactions end when the test says so. */
function steered() {
  const begun: { session: string; members: readonly string[]; end: (failure?: Error) => void }[] = [];
  const groups = new SessionGroups<string, string>(
    (member) => member.length,
    (session, members) =>
      new Promise((resolve, reject) => {
        const results = members.map((member) => () => {
          if (member.startsWith('wrong')) throw new Error(member);
          return `${session}/${member}`;
        });
        begun.push({ session, members, end: (failure) => (failure === undefined ? resolve(results) : reject(failure)) });
      }),
  );
  return { groups, begun };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('SessionGroups', () => {
  it('begins at once, and takes together in the order of arrival what comes meanwhile', async () => {
    const { groups, begun } = steered();
    const first = groups.add('s', 'a');
    const later = [groups.add('s', 'b'), groups.add('s', 'c')];
    expect(begun.map(({ members }) => members)).toEqual([['a']]);
    begun[0]?.end();
    await expect(first).resolves.toBe('s/a');
    await settled();
    expect(begun.map(({ members }) => members)).toEqual([['a'], ['b', 'c']]);
    begun[1]?.end();
    await expect(Promise.all(later)).resolves.toEqual(['s/b', 's/c']);
    const again = groups.add('s', 'd');
    await settled();
    begun[2]?.end();
    await expect(again).resolves.toBe('s/d');
  });

  it('what has a turn of its own waits for what came before, and is waited for by what comes later', async () => {
    const { groups, begun } = steered();
    const order: string[] = [];
    const added = (member: string) => groups.add('s', member).then(() => order.push(member));
    const all = [added('a'), added('b'), groups.alone('s', async () => order.push('reset')), added('c'), added('d')];
    const failing = groups.alone('s', () => Promise.reject(new Error('no such session')));
    failing.catch(() => undefined); // awaited below
    all.push(added('e'));
    for (const _ of ['a', 'b', 'c d', 'e']) {
      await settled();
      begun.at(-1)?.end();
    }
    await Promise.all(all);
    await expect(failing).rejects.toThrow('no such session');
    expect(begun.map(({ members }) => members)).toEqual([['a'], ['b'], ['c', 'd'], ['e']]);
    expect(order).toEqual(['a', 'b', 'reset', 'c', 'd', 'e']);
  });

  it('no session waits for another', () => {
    const { groups, begun } = steered();
    void groups.add('one', 'a');
    void groups.add('two', 'b');
    expect(begun.map(({ session }) => session)).toEqual(['one', 'two']);
  });

  it('the error of one member is its own', async () => {
    const { groups, begun } = steered();
    void groups.add('s', 'a');
    const [wrong, right] = [groups.add('s', 'wrong'), groups.add('s', 'right')];
    begun[0]?.end();
    await settled();
    begun[1]?.end();
    await expect(wrong).rejects.toThrow('wrong');
    await expect(right).resolves.toBe('s/right');
  });

  it('a group that fails by one of its members is done one by one; what is true for all of them is said to all', async () => {
    const { groups, begun } = steered();
    void groups.add('s', 'a');
    const two = Promise.allSettled([groups.add('s', 'b'), groups.add('s', 'c')]);
    begun[0]?.end();
    await settled();
    begun[1]?.end(new Error('a value of b does not fit'));
    await settled();
    begun[2]?.end(new Error('a value of b does not fit'));
    await settled();
    begun[3]?.end();
    expect(await two).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: 's/c' }]);
    void groups.add('other', 'd');
    const gone = Promise.allSettled([groups.add('other', 'e'), groups.add('other', 'f')]);
    await settled();
    begun[4]?.end();
    await settled();
    begun[5]?.end(plexusError('SESSION_NOT_FOUND'));
    expect(await gone).toMatchObject([{ reason: { code: 'SESSION_NOT_FOUND' } }, { reason: { code: 'SESSION_NOT_FOUND' } }]);
    expect(begun).toHaveLength(6);
  });

  it('groups and the queue are bounded', async () => {
    const { groups, begun } = steered();
    const add = (member: string) => groups.add('s', member).catch((error: { code: string }) => error.code);
    void add('first');
    const large = [add('x'.repeat(200_000)), add('y'.repeat(200_000))];
    const rest = Array.from({ length: 1_023 }, (_, index) => add(String(index)));
    await expect(rest.at(-1)).resolves.toBe('UNAVAILABLE');
    for (let turn = 0; turn < 3; turn += 1) {
      begun[turn]?.end();
      await settled();
    }
    expect(begun.map(({ members }) => members.length)).toEqual([1, 1, 64, 64]);
    expect(large).toHaveLength(2);
  });
});
