import { createRequire } from 'node:module';
import { zstdDecompressSync } from 'node:zlib';
import type { DatabaseSync } from 'node:sqlite';

/** Sessions of one agent, as versions with a database keep them. */
export interface AgentDatabase {
  readonly sessions: readonly { readonly key: string; readonly entry: unknown }[];
  /** Entries of a transcript in order; broken ones as undefined. Undefined when it has none. */
  transcript(sessionId: string): readonly unknown[] | undefined;
}

const MAX_EVENT_BYTES = 8 * 1024 * 1024;

/** Opens the database of an agent for reading only; a sentence when that cannot be done. */
export function openAgentDatabase(file: string): AgentDatabase | string {
  return withDatabase(file, (database) => {
    const rows = all(database, 'SELECT session_key AS key, current_session_id AS id, entry_json AS entry, updated_at AS at FROM session_nodes');
    const sessions = rows.map(({ key, id, entry, at }) => ({ key: String(key), entry: { updatedAt: Number(at), ...Object(json(entry)), sessionId: id } }));
    return { sessions, transcript: (sessionId: string) => transcriptOf(file, sessionId) };
  });
}

/** Cron jobs of versions that keep them in a database; a sentence when it cannot be read. */
export function readJobs(file: string): unknown[] | string {
  return withDatabase(file, (database) => {
    if (all(database, "SELECT 1 FROM sqlite_master WHERE name = 'cron_jobs'").length === 0) return [];
    return all(database, 'SELECT job_json AS job FROM cron_jobs ORDER BY sort_order, job_id').map(({ job }) => json(job));
  });
}

function transcriptOf(file: string, sessionId: string): readonly unknown[] | undefined {
  const entries = withDatabase(file, (database) => {
    const compressed = all(database, "SELECT 1 FROM pragma_table_info('transcript_events') WHERE name = 'event_zstd'").length > 0;
    const columns = compressed ? 'event_json AS text, event_zstd AS packed' : 'event_json AS text, NULL AS packed';
    const rows = all(database, `SELECT ${columns} FROM transcript_events WHERE session_id = ? ORDER BY seq`, sessionId);
    return rows.map(({ text, packed }) => (packed instanceof Uint8Array ? json(unpacked(packed)) : json(text)));
  });
  return typeof entries === 'string' || entries.length === 0 ? undefined : entries;
}

function unpacked(packed: Uint8Array): string | undefined {
  try {
    return zstdDecompressSync(packed, { maxOutputLength: MAX_EVENT_BYTES }).toString('utf8');
  } catch {
    return undefined; // counted as a broken entry
  }
}

type Row = Record<string, unknown>;

const all = (database: DatabaseSync, text: string, ...values: string[]): Row[] => database.prepare(text).all(...values) as Row[];

/** Whatever is wrong with a database of somebody else is a sentence in the report. */
function withDatabase<T>(file: string, read: (database: DatabaseSync) => T): T | string {
  let database: DatabaseSync | undefined;
  try {
    // Loaded only where there is such a file: Node says that it is new whenever it is loaded.
    const { DatabaseSync: Database } = createRequire(import.meta.url)('node:sqlite') as typeof import('node:sqlite');
    database = new Database(file, { readOnly: true });
    return read(database);
  } catch (error) {
    return `it cannot be read (${error instanceof Error ? error.message : String(error)}): what it holds is not taken`;
  } finally {
    database?.close();
  }
}

function json(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined; // counted as a broken entry
  }
}
