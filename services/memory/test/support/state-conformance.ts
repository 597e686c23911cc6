import { createHash } from 'node:crypto';
import type { StateStore } from '@plexus/kernel/state-store';
import fc from 'fast-check';

export interface StateBackend {
  readonly name: string;
  /** A store on the same place every time: several of them are several writers. */
  open(): StateStore;
}

type Operation =
  | { readonly kind: 'put' | 'append'; readonly name: string; readonly text: string; readonly expect?: number }
  | { readonly kind: 'delete'; readonly name: string; readonly expect?: number };

const NAMES = ['a', 'A', 'plan', 'plan/2', '.', '..', '../x', '计划', 'ﬀ', '𐌀', 'long'.repeat(60), '~', '%41', 'v1', 'nul'];

const operation = (maxChars: number): fc.Arbitrary<Operation> => {
  const name = fc.constantFrom(...NAMES);
  const text = fc.string({ unit: 'grapheme', maxLength: Math.min(40, maxChars) });
  const expect = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined, freq: 2 });
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), name, text, expect }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('append' as const), name, text, expect }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), name, expect }) },
  ) as fc.Arbitrary<Operation>;
};

/** The same operations for every backend: one seed. */
export function script(length: number): Operation[] {
  return fc.sample(operation(40), { numRuns: length, seed: 20_261_121 });
}

/** What every backend must agree with. */
export class MapModel {
  readonly #values = new Map<string, { version: number; value?: string }>();

  apply(one: Operation): string {
    const held = this.#values.get(one.name) ?? { version: 0 };
    const actual = held.value === undefined ? 0 : held.version;
    if (one.expect !== undefined && one.expect !== actual) return 'CONFLICT';
    if (one.kind === 'delete') {
      if (held.value === undefined) return 'false';
      this.#values.set(one.name, { version: held.version + 1 });
      return 'true';
    }
    const value = one.kind === 'put' ? one.text : (held.value ?? '') + one.text;
    this.#values.set(one.name, { version: held.version + 1, value });
    return `${held.version + 1}`;
  }

  listing(): { name: string; version: number; bytes: number; hash: string }[] {
    return [...this.#values]
      .flatMap(([name, { version, value }]) => (value === undefined ? [] : [{ name, version, value }]))
      .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
      .map(({ name, version, value }) => ({ name, version, bytes: Buffer.byteLength(value), hash: createHash('sha256').update(value).digest('hex') }));
  }

  get(name: string): string | undefined {
    return this.#values.get(name)?.value;
  }
}

async function applyTo(store: StateStore, run: string, one: Operation): Promise<string> {
  const options = one.expect === undefined ? {} : { expectVersion: one.expect };
  try {
    if (one.kind === 'delete') return String(await store.delete(run, one.name, options));
    return String((await store[one.kind](run, one.name, one.text, options)).version);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** The long tier runs a thousand, every run the first two hundred of them. */
const OPERATIONS = process.env.PLEXUS_TIER === 'full' ? 1_000 : 200;

/** What a state backend promises, whichever it is. */
export function stateConformance(backend: StateBackend): void {
  let runs = 0;
  let store: StateStore;
  let run: string;
  beforeEach(() => {
    store = backend.open();
    runs += 1;
    run = `run ${runs}/../ü`;
  });

  it('random operations agree with a map (P14, 29)', async () => {
    const model = new MapModel();
    for (const one of script(OPERATIONS)) expect([one, await applyTo(store, run, one)]).toEqual([one, model.apply(one)]);
    await expect(store.list(run)).resolves.toEqual(model.listing());
    for (const name of NAMES) expect((await store.get(run, name))?.value).toBe(model.get(name));
    const listed = model.listing().filter(({ name }) => name.startsWith('plan'));
    await expect(store.list(run, 'plan')).resolves.toEqual(listed);
    await expect(backend.open().list(run)).resolves.toEqual(model.listing());
  });

  it('of twenty writers that expect the same version exactly one wins', async () => {
    for (const expectVersion of [0, 1, 2]) {
      const attempts = Array.from({ length: 20 }, (_, n) => backend.open().put(run, 'x', `writer ${n}`, { expectVersion }));
      const settled = await Promise.allSettled(attempts);
      const won = settled.flatMap((one, n) => (one.status === 'fulfilled' ? [n] : []));
      expect(won).toHaveLength(1);
      await expect(store.get(run, 'x')).resolves.toMatchObject({ version: expectVersion + 1, value: `writer ${won[0]}` });
      for (const one of settled) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'CONFLICT', details: { expected: expectVersion } });
    }
  });

  it('of twenty appends at once none is lost', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => backend.open().append(run, 'log', `${n};`)));
    const value = (await store.get(run, 'log'))?.value ?? '';
    expect(
      value
        .split(';')
        .filter(Boolean)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 20 }, (_, n) => n));
    await expect(store.get(run, 'log')).resolves.toMatchObject({ version: 20 });
  });

  it('a version never comes back, also not across a deletion', async () => {
    await store.put(run, 'x', 'one');
    await store.delete(run, 'x');
    await expect(store.get(run, 'x')).resolves.toBeUndefined();
    await expect(store.put(run, 'x', 'two', { expectVersion: 1 })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(store.put(run, 'x', 'two', { expectVersion: 0 })).resolves.toMatchObject({ version: 3 });
  });

  it('runs do not see each other, and names mean nothing but themselves', async () => {
    for (const name of NAMES) await store.put(run, name, `value of ${name}`);
    await store.put(`${run}/a`, 'a', 'another run');
    for (const name of NAMES) await expect(store.get(run, name)).resolves.toMatchObject({ name, value: `value of ${name}` });
    await expect(store.list(run)).resolves.toHaveLength(NAMES.length);
    await expect(store.list('an unknown run')).resolves.toEqual([]);
  });

  it('refuses names and texts that could not come back as they were', async () => {
    for (const bad of ['', 'x'.repeat(257), 'a\0b', '\ud800']) {
      await expect(store.put(run, bad, 'x')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      await expect(store.get(bad, 'x')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    }
    await expect(store.put(run, 'x', 'a\udc00')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(store.put(run, 'x', 'a\0b 🎉')).resolves.toMatchObject({ version: 1 });
    await expect(store.get(run, 'x')).resolves.toMatchObject({ value: 'a\0b 🎉' });
    await expect(store.put(run, 'empty', '')).resolves.toMatchObject({ bytes: 0 });
    await expect(store.get(run, 'empty')).resolves.toMatchObject({ value: '' });
  });

  it('a snapshot restores a run exactly, and a later one goes on from it', async () => {
    for (const one of script(120)) await applyTo(store, run, one);
    const snapshot = await store.snapshot(run);
    await store.restore(`${run} copy`, snapshot);
    await expect(store.snapshot(`${run} copy`)).resolves.toBe(snapshot);
    await store.put(run, 'plan', 'changed');
    await store.put(run, 'new', 'one more');
    const before = (await store.get(run, 'plan'))?.version as number;
    await store.restore(run, snapshot);
    const values = (text: string) => (JSON.parse(text) as { values: { name: string; value: string }[] }).values.map(({ name, value }) => [name, value]);
    expect(values(await store.snapshot(run))).toEqual(values(snapshot));
    const after = await store.get(run, 'plan');
    if (after !== undefined) expect(after.version).toBeGreaterThan(before);
    for (const bad of ['', '{}', '[1]', '{"format":"plexus-state/1","values":[{"name":"a","version":0,"value":""}]}']) {
      await expect(store.restore(run, bad)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });

  it('tells of changes, where it can', async () => {
    const changes: unknown[] = [];
    const stop = store.watch?.(run, (change) => changes.push(change));
    if (stop === undefined) return;
    await store.put(run, 'x', 'one');
    await store.put('another run', 'x', 'one');
    await store.delete(run, 'x');
    stop();
    await store.put(run, 'x', 'two');
    expect(changes).toEqual([
      { name: 'x', version: 1, deleted: false },
      { name: 'x', version: 2, deleted: true },
    ]);
  });
}
