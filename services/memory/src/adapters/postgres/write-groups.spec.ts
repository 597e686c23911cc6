import { PlexusError } from '@plexus/kernel';
import type { NewMemory } from '../../application/ports.js';
import { WriteGroups } from './write-groups.js';

const memory = (content: string): NewMemory => ({ id: content, contentMac: Buffer.from(content[0] as string) }) as unknown as NewMemory;
const later = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A database that writes when it is told to. */
function scripted(lanes = 1) {
  const groups: string[][] = [];
  const ends: ((error?: Error) => void)[] = [];
  const write = (_tenant: string, memories: readonly NewMemory[]): Promise<string[]> => {
    groups.push(memories.map(({ id }) => id));
    return new Promise((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve(memories.map(({ id }) => `${id} done`)))));
  };
  const alone = async (tenant: string, one: NewMemory): Promise<string> => (await write(tenant, [one]))[0] as string;
  const writes = new WriteGroups<string>(write, lanes, alone);
  const end = async (error?: Error): Promise<void> => {
    ends.shift()?.(error);
    await later();
  };
  return { groups, writes, end };
}

it('the first does not wait; those that come meanwhile are written together', async () => {
  const { groups, writes, end } = scripted();
  const answers = Promise.all(['a', 'b', 'c', 'd'].map((content) => writes.write('t', memory(content))));
  expect(groups).toEqual([['a']]);
  await end();
  expect(groups).toEqual([['a'], ['b', 'c', 'd']]);
  await end();
  await expect(answers).resolves.toEqual(['a done', 'b done', 'c done', 'd done']);
});

it('the same content is never twice in one group', async () => {
  const { groups, writes, end } = scripted();
  const answers = Promise.all(['a', 'b1', 'b2', 'c', 'b3'].map((content) => writes.write('t', memory(content))));
  for (let n = 0; n < 4; n += 1) await end();
  expect(groups).toEqual([['a'], ['b1', 'c'], ['b2'], ['b3']]);
  await expect(answers).resolves.toHaveLength(5);
});

it('tenants do not wait for each other', async () => {
  const { groups, writes, end } = scripted();
  const answers = Promise.all([writes.write('t', memory('a')), writes.write('u', memory('b'))]);
  expect(groups).toEqual([['a'], ['b']]);
  await end();
  await end();
  await expect(answers).resolves.toEqual(['a done', 'b done']);
});

it('one that cannot be written does not spoil the others; a database that is away is everybody’s', async () => {
  const { groups, writes, end } = scripted();
  const outcomes = (contents: string[]) => Promise.allSettled(contents.map((content) => writes.write('t', memory(content))));
  const first = outcomes(['a', 'b', 'c']);
  await end();
  await end(new Error('one of them is bad'));
  await end(new Error('this one'));
  await end();
  expect(groups).toEqual([['a'], ['b', 'c'], ['b'], ['c']]);
  expect((await first).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  const second = outcomes(['d', 'e', 'f']);
  await end();
  await end(new PlexusError({ code: 'UNAVAILABLE', message: 'away', retryable: true, status: 503 }));
  expect((await second).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(groups.slice(4)).toEqual([['d'], ['e', 'f']]);
});

it('a crowd is written in groups of at most 64, and beyond a limit over all tenants it is refused', async () => {
  const { groups, writes, end } = scripted();
  const named = (n: number): NewMemory => ({ id: String(n), contentMac: Buffer.from(String(n)) }) as unknown as NewMemory;
  const tenants = ['t', 'u', 'v', 'w'];
  const crowd = tenants.flatMap((tenant) => Array.from({ length: 1_025 }, (_, n) => writes.write(tenant, named(n))));
  await expect(writes.write('x', named(0))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  for (let n = 0; n < 4 * 17; n += 1) await end();
  await expect(Promise.all(crowd)).resolves.toHaveLength(4_100);
  expect(Math.max(...groups.map(({ length }) => length))).toBe(64);
});

it('one whose place is still taken is written by itself afterwards, and nothing that becomes of it touches the others', async () => {
  const alone: string[] = [];
  const groups: string[][] = [];
  let commit = (): void => undefined;
  const first = new Promise<void>((resolve) => {
    commit = resolve;
  });
  const writes = new WriteGroups<string>(
    async (_tenant, memories) => {
      groups.push(memories.map(({ id }) => id));
      if (groups.length === 1) await first;
      return memories.map(({ id }) => (id.startsWith('taken') ? undefined : `${id} done`));
    },
    1,
    async (_tenant, { id }) => {
      alone.push(id);
      if (id === 'taken 1') throw new PlexusError({ code: 'UNAVAILABLE', message: 'away', retryable: true, status: 503 });
      return `${id} done alone`;
    },
  );
  const named = (id: string): NewMemory => ({ id, contentMac: Buffer.from(id) }) as unknown as NewMemory;
  const outcomes = Promise.allSettled(['a', 'b', 'taken 1', 'c', 'taken 2'].map((id) => writes.write('t', named(id))));
  commit();
  expect((await outcomes).map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as PlexusError).code))).toEqual([
    'a done',
    'b done',
    'UNAVAILABLE',
    'c done',
    'taken 2 done alone',
  ]);
  expect(alone).toEqual(['taken 1', 'taken 2']);
  expect(groups).toEqual([['a'], ['b', 'taken 1', 'c', 'taken 2']]);
});

it('a tenant with too many writes waiting is refused, and others are not', async () => {
  const { groups, writes, end } = scripted();
  const named = (n: number): NewMemory => ({ id: String(n), contentMac: Buffer.from(String(n)) }) as unknown as NewMemory;
  const crowd = Array.from({ length: 1_025 }, (_, n) => writes.write('t', named(n)));
  await expect(writes.write('t', named(1_025))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const other = writes.write('u', named(0));
  expect(groups.at(-1)).toEqual(['0']);
  for (let n = 0; n < 19; n += 1) await end();
  await expect(other).resolves.toBe('0 done');
  await expect(Promise.all(crowd)).resolves.toHaveLength(1_025);
});
