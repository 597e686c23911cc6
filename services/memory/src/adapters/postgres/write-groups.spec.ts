import { PlexusError } from '@plexus/kernel';
import type { NewMemory } from '../../application/ports.js';
import { WriteGroups } from './write-groups.js';

const memory = (content: string): NewMemory => ({ id: content, contentMac: Buffer.from(content[0] as string) }) as unknown as NewMemory;
const later = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A database that writes when it is told to. */
function scripted(lanes = 1) {
  const groups: string[][] = [];
  const ends: ((error?: Error) => void)[] = [];
  const writes = new WriteGroups<string>((_tenant, memories) => {
    groups.push(memories.map(({ id }) => id));
    return new Promise((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve(memories.map(({ id }) => `${id} done`)))));
  }, lanes);
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

it('a crowd is written in groups of at most 64, and beyond a limit it is refused', async () => {
  const { groups, writes, end } = scripted();
  const crowd = Array.from({ length: 4_097 }, (_, n) => writes.write('t', { id: String(n), contentMac: Buffer.from(String(n)) } as unknown as NewMemory));
  await expect(writes.write('t', memory('x'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  for (let n = 0; n < 65; n += 1) await end();
  await expect(Promise.all(crowd)).resolves.toHaveLength(4_097);
  expect(Math.max(...groups.map(({ length }) => length))).toBe(64);
});
