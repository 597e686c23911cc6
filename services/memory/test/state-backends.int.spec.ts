import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Database } from '@plexus/database';
import { FakeClock } from '@plexus/kernel';
import { FileState, InContextState, MAX_STATE_VALUE_BYTES, type StateStore } from '@plexus/kernel/state-store';
import { PostgresState } from '../src/adapters/postgres/postgres-state.js';
import { inTenant } from '../src/adapters/postgres/tenant-transaction.js';
import { BACKENDS } from './support/backends.js';
import { script, stateConformance } from './support/state-conformance.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'plexus-state-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('state in the context', () => {
  const shared = new InContextState();
  stateConformance({ name: 'in-context', open: () => shared });

  it('refuses 9,000 characters and says where they would fit (29)', async () => {
    const store = new InContextState();
    await expect(store.put('r', 'x', 'x'.repeat(9_000))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE', details: { chars: 9_000, maxChars: 8_000 } });
    await store.put('r', 'x', 'x'.repeat(8_000));
    await expect(store.append('r', 'x', 'x')).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
    await expect(store.get('r', 'x')).resolves.toMatchObject({ version: 1, bytes: 8_000 });
  });

  it('shows up to 2,000 characters word for word, longer ones marked and with the hash of the whole', async () => {
    const store = new InContextState();
    await store.put('r', 'a', 'x'.repeat(2_000));
    const long = await store.put('r', 'b', `begin${'🎉'.repeat(1_500)}end`);
    const [a, b] = store.narrate('r');
    expect(a).toMatchObject({ name: 'a', truncated: false, text: 'x'.repeat(2_000) });
    expect(b).toMatchObject({ name: 'b', truncated: true, hash: long.hash, bytes: long.bytes });
    expect(b?.text).toMatch(/^begin.*\[… \d+ characters left out …\].*end$/s);
    expect(b?.text.length).toBeLessThan(2_000);
    expect(b?.text).not.toMatch(/\p{Surrogate}/u);
  });
});

describe('state in files', () => {
  stateConformance({ name: 'file-system', open: () => new FileState(path.join(folder, 'conformance')) });

  it('keeps nothing but the value and numbers of a few versions before it', async () => {
    const directory = path.join(folder, 'tidy');
    const store = new FileState(directory);
    for (let n = 1; n <= 30; n += 1) await store.put('r', 'x', `value ${n}`);
    expect(readdirSync(path.join(directory, 'r', 'x')).sort()).toEqual(['v23', 'v24', 'v25', 'v26', 'v27', 'v28', 'v29', 'v30']);
  });

  it('what a killed writer left is neither read nor in the way', async () => {
    const directory = path.join(folder, 'killed');
    const store = new FileState(directory);
    await store.put('r', 'x', 'whole');
    writeFileSync(path.join(directory, 'r', 'x', 'tmp-0123456789abcdef'), 'ha');
    await expect(store.get('r', 'x')).resolves.toMatchObject({ version: 1, value: 'whole' });
    await expect(store.put('r', 'x', 'next', { expectVersion: 1 })).resolves.toMatchObject({ version: 2 });
  });

  it('follows no link out of its folder', async () => {
    const directory = path.join(folder, 'links');
    const outside = mkdtempSync(path.join(folder, 'outside-'));
    writeFileSync(path.join(outside, 'v1'), 'secret');
    const store = new FileState(directory);
    await store.put('r', 'x', 'mine');
    symlinkSync(outside, path.join(directory, 'r', 'y'));
    await expect(store.get('r', 'y')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(store.put('r', 'y', 'z')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    symlinkSync(path.join(outside, 'v1'), path.join(directory, 'r', 'x', 'v2'));
    await expect(store.get('r', 'x')).rejects.toMatchObject({ code: 'ELOOP' });
  });
});

describe.each(BACKENDS)('state in Postgres, on $name', (backend) => {
  let database: Database;
  let close: () => Promise<void>;
  const clock = new FakeClock(0);
  const open = (tenant = 't', owner = 'me'): PostgresState => new PostgresState(database, clock, tenant, owner);
  beforeAll(async () => {
    ({ database, close } = await backend.open());
  });
  afterAll(() => close());

  stateConformance({ name: backend.name, open: () => open() });

  it('is invisible to other users and tenants', async () => {
    await open().put('secret', 'x', 'mine');
    for (const other of [open('t', 'you'), open('u', 'me')]) {
      await expect(other.list('secret')).resolves.toEqual([]);
      await expect(other.put('secret', 'x', 'theirs', { expectVersion: 0 })).resolves.toMatchObject({ version: 1 });
    }
    await expect(open().get('secret', 'x')).resolves.toMatchObject({ value: 'mine' });
    const seen = await inTenant(database, 'u', (tx) => tx.query('test_state_rows', `SELECT DISTINCT tenant_id FROM state_kv`));
    expect(seen).toEqual([{ tenant_id: 'u' }]);
  });

  it('keeps large values in pieces of one MiB, and no piece of an earlier one', async () => {
    const large = '数'.repeat(1_200_000);
    await open().put('large', 'x', large);
    const chunks = () => inTenant(database, 't', (tx) => tx.query<{ n: number }>('test_state_chunks', 'SELECT count(*)::int AS n FROM state_chunk'));
    await expect(chunks()).resolves.toEqual([{ n: 3 }]);
    await expect(open().get('large', 'x')).resolves.toMatchObject({ value: large, bytes: 3_600_000 });
    const bytes = Buffer.from(large);
    for (const [from, length] of [
      [0, 10],
      [1_048_570, 20],
      [1_048_576, 5],
      [1_048_577, 2_200_000],
      [3_599_990, 100],
      [3_600_000, 5],
      [9_000_000, 5],
    ] as const) {
      const part = await open().bytes('large', 'x', from, length);
      expect(part?.entry.bytes).toBe(3_600_000);
      expect(part?.data.equals(bytes.subarray(from, from + length))).toBe(true);
    }
    await expect(open().bytes('large', 'y', 0, 1)).resolves.toBeUndefined();
    await open().append('large', 'x', '!');
    await expect(open().get('large', 'x')).resolves.toMatchObject({ value: `${large}!`, version: 2 });
    await open().put('large', 'x', 'small');
    await expect(chunks()).resolves.toEqual([{ n: 0 }]);
    await expect(open().put('large', 'x', 'x'.repeat(MAX_STATE_VALUE_BYTES + 1))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  });

  it('a run moves between all three backends byte for byte', async () => {
    const stores: StateStore[] = [new InContextState(), new FileState(path.join(folder, `moved-${backend.name}`)), open()];
    for (const [index, one] of script(60).entries()) {
      if (one.kind === 'put') await (stores[0] as StateStore).put('moving', `${one.name} ${index % 7}`, one.text);
    }
    const snapshot = await (stores[0] as StateStore).snapshot('moving');
    for (const store of stores.slice(1)) {
      await store.restore('moved', snapshot);
      await expect(store.snapshot('moved')).resolves.toBe(snapshot);
    }
    await open().put('unfit', 'x', 'x'.repeat(9_000));
    await expect((stores[0] as StateStore).restore('unfit', await open().snapshot('unfit'))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  });
});
