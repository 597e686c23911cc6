import type { Database, Tx } from '@plexus/database';
import type { Clock } from '@plexus/kernel';
import {
  decodeSnapshot,
  encodeSnapshot,
  entryOf,
  requireStateName,
  requireStateSize,
  requireStateText,
  restoredVersion,
  type StateEntry,
  type StateStore,
  type StateValue,
  type StateWriteOptions,
  versionConflict,
} from '@plexus/kernel/state-store';
import { inTenant } from './tenant-transaction.js';

const CHUNK_BYTES = 1_048_576;

const WHERE = 'tenant_id = $1 AND owner = $2 AND run_id = $3';
const LOCK = `SELECT version, deleted, bytes FROM state_kv WHERE ${WHERE} AND name = $4 FOR UPDATE`;
const READ = `SELECT version, deleted, bytes, hash FROM state_kv WHERE ${WHERE} AND name = $4`;
/** Base 64 on the way: PGlite takes and gives bytes twenty times slower. */
const VALUE = `SELECT encode(value, 'base64') AS data FROM state_kv WHERE ${WHERE} AND name = $4`;
const CHUNKS = `SELECT encode(data, 'base64') AS data FROM state_chunk WHERE ${WHERE} AND name = $4 ORDER BY chunk_no`;
/** The same, of what lies from byte `$5` on, `$6` bytes: in the row itself or in a piece beside it. */
const VALUE_PART = `SELECT encode(substring(value FROM $5::int + 1 FOR $6::int), 'base64') AS data FROM state_kv WHERE ${WHERE} AND name = $4`;
const CHUNK_PARTS = `
  SELECT encode(substring(data FROM greatest($5::int - chunk_no * ${CHUNK_BYTES}, 0) + 1
                               FOR $5::int + $6::int - chunk_no * ${CHUNK_BYTES} - greatest($5::int - chunk_no * ${CHUNK_BYTES}, 0)), 'base64') AS data
    FROM state_chunk
   WHERE ${WHERE} AND name = $4 AND chunk_no BETWEEN $5::int / ${CHUNK_BYTES} AND ($5::int + $6::int - 1) / ${CHUNK_BYTES}
   ORDER BY chunk_no`;
/** Of two that create a value at once the second gets no row. */
const INSERT = `
  INSERT INTO state_kv (tenant_id, owner, run_id, name, version, deleted, bytes, hash, value, updated_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, decode($9, 'base64'), $10) ON CONFLICT DO NOTHING RETURNING version`;
const UPDATE = `UPDATE state_kv SET version = $5, deleted = $6, bytes = $7, hash = $8, value = decode($9, 'base64'), updated_at = $10 WHERE ${WHERE} AND name = $4`;
const DROP_CHUNKS = `DELETE FROM state_chunk WHERE ${WHERE} AND name = $4`;
const ADD_CHUNK = "INSERT INTO state_chunk (tenant_id, owner, run_id, name, chunk_no, data) VALUES ($1, $2, $3, $4, $5, decode($6, 'base64'))";
const LIST = `
  SELECT name, version, bytes, hash FROM state_kv
   WHERE ${WHERE} AND NOT deleted AND starts_with(name, $4) AND ($5::text IS NULL OR name > $5) ORDER BY name LIMIT $6`;

/** Each failed try means that somebody else created the value. */
const MAX_TRIES = 10;

interface StateRow {
  readonly version: number;
  readonly deleted: boolean;
  readonly bytes: number;
}

/** State in Postgres or PGlite; what belongs to one user is invisible to every other. Values have at most 16 MiB, in pieces of one. */
export class PostgresState implements StateStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly tenant: string,
    private readonly owner: string,
  ) {}

  put(run: string, name: string, value: string, options: StateWriteOptions = {}): Promise<StateEntry> {
    return this.#write(run, name, async () => value, options);
  }

  append(run: string, name: string, text: string, options: StateWriteOptions = {}): Promise<StateEntry> {
    return this.#write(run, name, async (read) => (await read()) + text, options);
  }

  async get(run: string, name: string): Promise<StateValue | undefined> {
    requireBoth(run, name);
    // One snapshot: the value and its chunks must be of the same version.
    return inTenant(this.database, this.tenant, (tx) => this.#read(tx, run, name), { readOnly: true, isolation: 'repeatable read' });
  }

  /** At most `length` bytes (one at least) of a value from byte `from` on; a long value is not read for them as a whole. */
  async bytes(run: string, name: string, from: number, length: number): Promise<{ readonly entry: StateEntry; readonly data: Buffer } | undefined> {
    requireBoth(run, name);
    const key = [this.tenant, this.owner, run, name];
    return inTenant(
      this.database,
      this.tenant,
      async (tx) => {
        const [row] = await tx.query<StateRow & { hash: string }>('state_read', READ, key);
        if (row === undefined || row.deleted) return undefined;
        const part = [...key, Math.min(from, row.bytes), length];
        const first = from < CHUNK_BYTES ? await tx.query<{ data: string }>('state_value_part', VALUE_PART, part) : [];
        const rest = Math.min(from + length, row.bytes) > CHUNK_BYTES ? await tx.query<{ data: string }>('state_chunk_parts', CHUNK_PARTS, part) : [];
        const entry = { name, version: row.version, bytes: row.bytes, hash: row.hash };
        return { entry, data: Buffer.concat([...first, ...rest].map(({ data }) => Buffer.from(data, 'base64'))) };
      },
      { readOnly: true, isolation: 'repeatable read' },
    );
  }

  list(run: string, prefix = ''): Promise<StateEntry[]> {
    return this.page(run, { prefix, limit: null });
  }

  /** A part of {@link list}: behind the name `after`, at most `limit`. */
  async page(
    run: string,
    { prefix = '', after, limit }: { readonly prefix?: string; readonly after?: string; readonly limit: number | null },
  ): Promise<StateEntry[]> {
    requireStateName('run', run);
    const parameters = [this.tenant, this.owner, run, prefix, after ?? null, limit];
    return inTenant(this.database, this.tenant, (tx) => tx.query<StateEntry>('state_list', LIST, parameters), { readOnly: true });
  }

  async delete(run: string, name: string, { expectVersion }: StateWriteOptions = {}): Promise<boolean> {
    requireBoth(run, name);
    return inTenant(this.database, this.tenant, async (tx) => {
      const held = await this.#lock(tx, run, name);
      const living = held !== undefined && !held.deleted;
      requireVersion(name, living ? held.version : 0, expectVersion);
      if (living) await this.#store(tx, run, name, held, held.version + 1, undefined);
      return living;
    });
  }

  async snapshot(run: string): Promise<string> {
    requireStateName('run', run);
    const values = await inTenant(
      this.database,
      this.tenant,
      async (tx) => {
        const entries = await tx.query<StateEntry>('state_list', LIST, [this.tenant, this.owner, run, '', null, null]);
        const read: StateValue[] = [];
        for (const { name } of entries) read.push((await this.#read(tx, run, name)) as StateValue);
        return read;
      },
      { readOnly: true, isolation: 'repeatable read' },
    );
    return encodeSnapshot(values);
  }

  async restore(run: string, snapshot: string): Promise<void> {
    requireStateName('run', run);
    const wanted = decodeSnapshot(snapshot);
    for (const { value } of wanted) requireStateSize(value);
    const names = new Set(wanted.map(({ name }) => name));
    await inTenant(this.database, this.tenant, async (tx) => {
      const entries = await tx.query<StateEntry>('state_list', LIST, [this.tenant, this.owner, run, '', null, null]);
      for (const { name } of entries.filter((one) => !names.has(one.name))) {
        const held = await this.#lock(tx, run, name);
        if (held !== undefined && !held.deleted) await this.#store(tx, run, name, held, held.version + 1, undefined);
      }
      for (const { name, version, value } of wanted) {
        const held = await this.#lock(tx, run, name);
        if (held !== undefined && !held.deleted && held.version === version && (await this.#value(tx, run, name, held)) === value) continue;
        if (!(await this.#store(tx, run, name, held, restoredVersion(version, held?.version ?? 0), value))) throw versionConflict(name, 0, 1);
      }
    });
  }

  async #write(run: string, name: string, next: (read: () => Promise<string>) => Promise<string>, { expectVersion }: StateWriteOptions): Promise<StateEntry> {
    requireBoth(run, name);
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      const entry = await inTenant(this.database, this.tenant, async (tx) => {
        const held = await this.#lock(tx, run, name);
        const living = held !== undefined && !held.deleted;
        requireVersion(name, living ? held.version : 0, expectVersion);
        const value = await next(async () => (living ? this.#value(tx, run, name, held) : ''));
        requireStateText(value);
        requireStateSize(value);
        const version = (held?.version ?? 0) + 1;
        return (await this.#store(tx, run, name, held, version, value)) ? entryOf(name, version, value) : undefined;
      });
      if (entry !== undefined) return entry;
    }
    throw versionConflict(name, expectVersion ?? 0, 1);
  }

  /** False when somebody else has created the value meanwhile. */
  async #store(tx: Tx, run: string, name: string, held: StateRow | undefined, version: number, value: string | undefined): Promise<boolean> {
    const bytes = Buffer.from(value ?? '');
    const { hash } = entryOf(name, version, value ?? '');
    const key = [this.tenant, this.owner, run, name];
    const parameters = [
      ...key,
      version,
      value === undefined,
      bytes.length,
      hash,
      bytes.subarray(0, CHUNK_BYTES).toString('base64'),
      new Date(this.clock.now()),
    ];
    if (held === undefined && (await tx.query('state_insert', INSERT, parameters)).length === 0) return false;
    if (held !== undefined) await tx.query('state_update', UPDATE, parameters);
    if (held !== undefined && held.bytes > CHUNK_BYTES) await tx.query('state_drop_chunks', DROP_CHUNKS, key);
    for (let from = CHUNK_BYTES, index = 1; from < bytes.length; from += CHUNK_BYTES, index += 1) {
      await tx.query('state_add_chunk', ADD_CHUNK, [...key, index, bytes.subarray(from, from + CHUNK_BYTES).toString('base64')]);
    }
    return true;
  }

  async #lock(tx: Tx, run: string, name: string): Promise<StateRow | undefined> {
    const [row] = await tx.query<StateRow>('state_lock', LOCK, [this.tenant, this.owner, run, name]);
    return row;
  }

  async #read(tx: Tx, run: string, name: string): Promise<StateValue | undefined> {
    const [row] = await tx.query<StateRow & { hash: string }>('state_read', READ, [this.tenant, this.owner, run, name]);
    if (row === undefined || row.deleted) return undefined;
    return { name, version: row.version, bytes: row.bytes, hash: row.hash, value: await this.#value(tx, run, name, row) };
  }

  async #value(tx: Tx, run: string, name: string, { bytes }: StateRow): Promise<string> {
    const key = [this.tenant, this.owner, run, name];
    const first = await tx.query<{ data: string }>('state_value', VALUE, key);
    const rest = bytes <= CHUNK_BYTES ? [] : await tx.query<{ data: string }>('state_chunks', CHUNKS, key);
    return Buffer.concat([...first, ...rest].map(({ data }) => Buffer.from(data, 'base64'))).toString();
  }
}

function requireBoth(run: string, name: string): void {
  requireStateName('run', run);
  requireStateName('name', name);
}

function requireVersion(name: string, actual: number, expected: number | undefined): void {
  if (expected !== undefined && expected !== actual) throw versionConflict(name, expected, actual);
}
