import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { loadConfigFile } from '@plexus/agent-config';
import { invalid } from '../config-client.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import { openAgentDatabase, readJobs } from './read-database.js';
import type { NotTaken } from './reading.js';
import type { StoredSession } from './map-session.js';

const MAX_STORE_BYTES = 64 * 1024 * 1024;
const MAX_TRANSCRIPT_BYTES = 256 * 1024 * 1024;

/** A conversation and how to read it; transcripts are read one at a time, they may be large. */
export interface FoundSession extends StoredSession {
  readonly sessionId: string;
  /** When its entry was last written, in ms. */
  readonly updatedAt: number;
  /** Its entries; broken lines as undefined. Undefined when there is no transcript. */
  readonly transcript: () => readonly unknown[] | undefined;
}

/** What a state folder of OpenClaw holds. */
export interface OpenClawState {
  readonly file: string;
  readonly config: unknown;
  readonly jobs: readonly unknown[];
  readonly sessions: readonly FoundSession[];
  readonly notTaken: readonly NotTaken[];
}

/**
 * Reads a state folder, or the configuration file in it. Nothing is changed there. Throws a CommandFailure IMPORT_REJECTED for what is no OpenClaw
 * state, and for a configuration or session store that cannot be read: half of an import would be worse than none.
 */
export function readState(given: string): OpenClawState {
  if (!existsSync(given)) throw rejected(`There is no ${given}.`);
  const file = statSync(given).isDirectory() ? path.join(given, 'openclaw.json') : given;
  if (!existsSync(file)) throw rejected(`There is no openclaw.json in ${given}.`);
  const loaded = loadConfigFile(file);
  if (!loaded.ok) throw rejected(invalid(loaded.error).message.replace(/^.*\n/, `${file} cannot be read; nothing was changed:\n`));
  const config = loaded.value.document;
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw rejected(`${file} holds no object.`);
  const folder = path.dirname(file);
  const notTaken: NotTaken[] = [];
  const sessions = agentFolders(folder).flatMap(({ agentId, agentFolder }) => sessionsOf(agentId, agentFolder, notTaken));
  const jobs = jobsOf(folder, notTaken);
  return { file, config, jobs, sessions: sessions.sort((one, other) => one.updatedAt - other.updatedAt), notTaken };
}

function agentFolders(folder: string): { agentId: string; agentFolder: string }[] {
  const agents = path.join(folder, 'agents');
  if (!existsSync(agents)) return [];
  const names = readdirSync(agents, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.map(({ name }) => ({ agentId: name, agentFolder: path.join(agents, name) })).sort((one, other) => (one.agentId < other.agentId ? -1 : 1));
}

/** Earlier versions keep sessions in files, later ones in a database; what the database has is newer. */
function sessionsOf(agentId: string, agentFolder: string, notTaken: NotTaken[]): FoundSession[] {
  const found = new Map<string, FoundSession>();
  const add = (sessionKey: string, entry: unknown, transcript: (sessionId: string, entry: Record<string, unknown>) => FoundSession['transcript']): void => {
    const fields = Object(entry) as Record<string, unknown>;
    const { sessionId, updatedAt } = fields;
    if (typeof sessionId !== 'string' || !/^[\w.:-]{1,128}$/.test(sessionId) || sessionKey.trim() === '') {
      notTaken.push({ path: `agents/${agentId}: ${sessionKey || 'a session without a key'}`, reason: 'its entry names no conversation' });
      return;
    }
    const time = typeof updatedAt === 'number' && updatedAt > 0 ? updatedAt : 0;
    found.set(sessionKey, { agentId, sessionKey, sessionId, updatedAt: time, entry: fields, transcript: transcript(sessionId, fields) });
  };
  const folder = path.join(agentFolder, 'sessions');
  const store = path.join(folder, 'sessions.json');
  if (existsSync(store)) {
    for (const [key, entry] of Object.entries(readObject(store))) {
      add(key, entry, (id, fields) => {
        const file = transcriptFile(folder, id, fields);
        const fits = file !== undefined && statSync(file).size <= MAX_TRANSCRIPT_BYTES;
        if (file !== undefined && !fits) notTaken.push({ path: `session ${key}`, reason: `its transcript has more than ${MAX_TRANSCRIPT_BYTES} bytes` });
        return () => (fits ? linesOf(file) : undefined);
      });
    }
  }
  const databaseFile = path.join(agentFolder, 'agent', 'openclaw-agent.sqlite');
  if (existsSync(databaseFile)) {
    const database = openAgentDatabase(databaseFile);
    if (typeof database === 'string') notTaken.push({ path: `agents/${agentId}/agent/openclaw-agent.sqlite`, reason: database });
    else for (const { key, entry } of database.sessions) add(key, entry, (id) => () => database.transcript(id));
  }
  return [...found.values()];
}

/** The file of a session; one that the entry names counts only inside the folder. */
function transcriptFile(folder: string, sessionId: string, entry: Record<string, unknown>): string | undefined {
  const named = typeof entry.sessionFile === 'string' ? path.basename(entry.sessionFile) : undefined;
  return [named, `${sessionId}.jsonl`]
    .filter((name) => name?.endsWith('.jsonl'))
    .map((name) => path.join(folder, name as string))
    .find(existsSync);
}

function linesOf(file: string): readonly unknown[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parsed);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // counted by whoever reads the transcript: a running gateway may leave half a line at the end
  }
}

function jobsOf(folder: string, notTaken: NotTaken[]): readonly unknown[] {
  const file = path.join(folder, 'cron', 'jobs.json');
  const inFile = existsSync(file) ? readObject(file).jobs : undefined;
  const database = path.join(folder, 'state', 'openclaw.sqlite');
  const inDatabase = existsSync(database) ? readJobs(database) : [];
  if (typeof inDatabase === 'string') notTaken.push({ path: 'state/openclaw.sqlite', reason: inDatabase });
  const jobs = [...(Array.isArray(inFile) ? inFile : []), ...(typeof inDatabase === 'string' ? [] : inDatabase)];
  const byId = new Map(jobs.map((job, index) => [String((Object(job) as { id?: unknown }).id ?? `#${index}`), job]));
  return [...byId.values()];
}

function readObject(file: string): Record<string, unknown> {
  if (statSync(file).size > MAX_STORE_BYTES) throw rejected(`${file} has more than ${MAX_STORE_BYTES} bytes.`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw rejected(`${file} is no JSON: ${cause instanceof Error ? cause.name : 'unreadable'}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw rejected(`${file} holds no object.`);
  return value as Record<string, unknown>;
}

function rejected(message: string): CommandFailure {
  return new CommandFailure(
    message,
    EXIT.findings,
    'Nothing was imported. Name the folder of an OpenClaw gateway (~/.openclaw), or the openclaw.json in it.',
    'IMPORT_REJECTED',
  );
}
